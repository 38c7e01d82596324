package clients;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** The Secret as an application receives it: as environment variables, or as files below SERVICE_BINDING_ROOT. */
final class Binding {
    static final String MARKER = System.getenv("MARKER");

    private Binding() {}

    static String entry(String name) {
        String value = System.getenv("REDIS_" + name.toUpperCase());
        if (value != null) {
            return value;
        }
        try {
            return Files.readString(Path.of(System.getenv("SERVICE_BINDING_ROOT"), "orders", name));
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }

    static int number(String name) {
        return Integer.parseInt(entry(name));
    }
}
