"""`python -m secure_redis` is the command `secure-redis`."""

from secure_redis.cli.main import main

main()
