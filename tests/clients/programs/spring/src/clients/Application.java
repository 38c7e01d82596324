package clients;

import java.io.PrintWriter;
import java.io.StringWriter;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.SpringBootVersion;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.data.redis.core.StringRedisTemplate;

/** A Spring Boot application with spring-cloud-bindings, which finds its Redis below SERVICE_BINDING_ROOT. */
@SpringBootApplication(proxyBeanMethods = false)
public class Application {
    public static void main(String[] arguments) {
        StringWriter error = new StringWriter();
        try (ConfigurableApplicationContext context = SpringApplication.run(Application.class, arguments)) {
            StringRedisTemplate redis = context.getBean(StringRedisTemplate.class);
            String marker = System.getenv("MARKER");
            redis.opsForValue().set("orders", marker);
            if (!marker.equals(redis.opsForValue().get("orders"))) {
                throw new IllegalStateException("read something else");
            }
        } catch (Throwable cause) {
            cause.printStackTrace(new PrintWriter(error));
        }
        System.out.println("{\"version\": \"" + SpringBootVersion.getVersion() + "\"" + report(error.toString()) + "}");
        System.exit(error.getBuffer().isEmpty() ? 0 : 1);
    }

    private static String report(String error) {
        if (error.isEmpty()) {
            return "";
        }
        String[] lines = error.replace("\\", "/").replace("\"", "'").replaceAll("[\\p{Cntrl}&&[^\n]]", " ").split("\n");
        return ", \"error\": \"" + String.join("\\n", lines) + "\"";
    }
}
