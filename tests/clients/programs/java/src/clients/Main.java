package clients;

import io.lettuce.core.RedisURI;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.URI;
import java.util.Map;
import org.redisson.Redisson;
import org.redisson.api.RedissonClient;
import org.redisson.client.codec.StringCodec;
import org.redisson.config.Config;
import redis.clients.jedis.DefaultJedisClientConfig;
import redis.clients.jedis.HostAndPort;
import redis.clients.jedis.RedisClient;

/** Runs one client: `Main CLIENT JAR`. Prints one line: the version, and what the client reports where it fails. */
public final class Main {
    interface Client {
        void run() throws Exception;
    }

    static final Map<String, Client> CLIENTS = Map.of(
            "jedis", Main::jedis,
            "jedis_parts", Main::jedisParts,
            "lettuce", Main::lettuce,
            "lettuce_parts", Main::lettuceParts,
            "redisson", Main::redisson,
            "redisson_uri", Main::redissonUri,
            "redisson_parts", Main::redissonParts);

    static void compare(String got) {
        if (!Binding.MARKER.equals(got)) {
            throw new IllegalStateException("read " + got);
        }
    }

    static void use(RedisClient client) {
        try (client) {
            client.set("orders", Binding.MARKER);
            compare(client.get("orders"));
        }
    }

    static void jedis() {
        use(RedisClient.create(URI.create(Binding.entry("uri"))));
    }

    static void jedisParts() {
        DefaultJedisClientConfig config = DefaultJedisClientConfig.builder()
                .ssl(true)
                .password(Binding.entry("password"))
                .database(Binding.number("database"))
                .build();
        use(RedisClient.builder()
                .hostAndPort(new HostAndPort(Binding.entry("host"), Binding.number("port")))
                .clientConfig(config)
                .build());
    }

    static void use(io.lettuce.core.RedisClient client) {
        try (client) {
            client.connect().sync().set("orders", Binding.MARKER);
            compare(client.connect().sync().get("orders"));
        }
    }

    static void lettuce() {
        use(io.lettuce.core.RedisClient.create(Binding.entry("uri")));
    }

    static void lettuceParts() {
        use(io.lettuce.core.RedisClient.create(RedisURI.builder()
                .withHost(Binding.entry("host"))
                .withPort(Binding.number("port"))
                .withPassword(Binding.entry("password").toCharArray())
                .withDatabase(Binding.number("database"))
                .withSsl(true)
                .build()));
    }

    static void use(Config config) {
        RedissonClient client = Redisson.create(config);
        try {
            client.getBucket("orders", StringCodec.INSTANCE).set(Binding.MARKER);
            compare(String.valueOf(client.getBucket("orders", StringCodec.INSTANCE).get()));
        } finally {
            client.shutdown();
        }
    }

    static void redisson() {
        Config config = new Config();
        config.useSingleServer()
                .setAddress(Binding.entry("uri"))
                .setDatabase(Binding.number("database"))
                .setRetryAttempts(0)
                .setConnectionMinimumIdleSize(1);
        use(config);
    }

    static void redissonUri() {
        Config config = new Config();
        config.useSingleServer().setAddress(Binding.entry("uri"));
        use(config);
    }

    static void redissonParts() {
        Config config = new Config();
        config.useSingleServer()
                .setAddress("rediss://" + Binding.entry("host") + ":" + Binding.entry("port"))
                .setPassword(Binding.entry("password"))
                .setDatabase(Binding.number("database"))
                .setRetryAttempts(0)
                .setConnectionMinimumIdleSize(1);
        use(config);
    }

    public static void main(String[] arguments) {
        int code = 0;
        StringWriter error = new StringWriter();
        try {
            CLIENTS.get(arguments[0]).run();
        } catch (Throwable cause) {
            code = 1;
            cause.printStackTrace(new PrintWriter(error));
        }
        System.out.println(Report.line(arguments[1], error.toString()));
        System.exit(code);
    }
}
