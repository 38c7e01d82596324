"""Queues of tasks and messages."""

import asyncio

from binding import MARKER, entry


def _celery(**settings: object):
    from celery import Celery

    app = Celery("orders", broker=entry("celery"), **settings)
    app.conf.update(broker_connection_retry=False, broker_transport_options={"max_retries": 0})

    @app.task(name="echo")
    def echo(text: str) -> str:
        return text

    return app, echo


def celery_broker() -> None:
    app, echo = _celery()
    echo.apply_async([MARKER], retry=False)
    with app.connection_for_read() as connection:
        received = connection.SimpleQueue("celery").get(timeout=60)
        assert MARKER in str(received.payload)
    echo.apply_async([MARKER], retry=False)  # not received, so that the queue is there to be found


def celery_result_backend() -> None:
    app, _ = _celery(backend=entry("celery"))
    app.conf.result_backend_always_retry = False
    app.conf.redis_retry_on_timeout = False
    app.backend.store_result("task-1", MARKER, "SUCCESS")
    assert app.AsyncResult("task-1").get(timeout=60) == MARKER


def kombu() -> None:
    from kombu import Connection

    with Connection(entry("celery"), transport_options={"max_retries": 0}) as connection:
        queue = connection.SimpleQueue("orders")
        queue.put({"marker": MARKER}, retry=False)
        assert queue.get(timeout=60).payload["marker"] == MARKER
        queue.put({"marker": MARKER}, retry=False)  # not received, so that the queue is there to be found


def rq() -> None:
    from redis import Redis
    from rq import Queue
    from rq.job import Job

    connection = Redis.from_url(entry("uri"))
    job = Queue("orders", connection=connection).enqueue("builtins.len", MARKER)
    assert list(Job.fetch(job.id, connection=connection).args) == [MARKER]


def dramatiq() -> None:
    import dramatiq as library
    from dramatiq.brokers.redis import RedisBroker
    from dramatiq.worker import Worker

    broker = RedisBroker(url=entry("uri"))
    library.set_broker(broker)
    done: list[str] = []

    @library.actor(broker=broker)
    def echo(text: str) -> None:
        done.append(text)

    echo.send(MARKER)
    worker = Worker(broker, worker_threads=1, worker_timeout=100)
    worker.start()
    broker.join("default", timeout=60_000)
    worker.join()
    worker.stop()
    assert done == [MARKER]
    echo.send(MARKER)


def huey() -> None:
    from huey import RedisHuey

    app = RedisHuey("orders", url=entry("uri"))

    @app.task()
    def echo(text: str) -> str:
        return text

    result = echo(MARKER)
    app.execute(app.dequeue())
    assert result.get(blocking=True, timeout=60) == MARKER
    echo(MARKER)


def saq() -> None:
    from saq import Queue

    async def use() -> None:
        queue = Queue.from_url(entry("uri"))
        await queue.connect()
        job = await queue.enqueue("echo", text=MARKER)
        assert job is not None
        found = await queue.job(job.key)
        assert found is not None
        assert (found.kwargs or {})["text"] == MARKER
        await queue.disconnect()

    asyncio.run(use())


def taskiq() -> None:
    from taskiq_redis import ListQueueBroker, RedisAsyncResultBackend

    async def use() -> None:
        broker = ListQueueBroker(url=entry("uri")).with_result_backend(RedisAsyncResultBackend(entry("uri")))

        @broker.task(task_name="echo")
        async def echo(text: str) -> str:
            return text

        await broker.startup()
        await echo.kiq(MARKER)
        async for message in broker.listen():
            assert MARKER.encode() in getattr(message, "data", message)
            break
        await echo.kiq(MARKER)
        await broker.shutdown()

    asyncio.run(use())


def arq() -> None:
    from arq import create_pool
    from arq.connections import RedisSettings

    async def use() -> None:
        settings = RedisSettings(
            host=entry("host"),
            port=int(entry("port")),
            password=entry("password"),
            database=int(entry("database")),
            ssl=True,
            ssl_check_hostname=True,
            conn_retries=0,
        )
        pool = await create_pool(settings)
        job = await pool.enqueue_job("echo", MARKER)
        assert job is not None
        info = await job.info()
        assert info is not None
        assert info.args == (MARKER,)
        await pool.aclose()

    asyncio.run(use())


def arq_uri() -> None:
    from arq import create_pool
    from arq.connections import RedisSettings

    settings = RedisSettings.from_dsn(entry("uri"))
    settings.conn_retries = 0
    asyncio.run(create_pool(settings))
