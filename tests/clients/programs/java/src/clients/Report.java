package clients;

import java.util.Arrays;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The line of JSON that the matrix reads. */
final class Report {
    private Report() {}

    static String line(String jar, String error) {
        String version = "{\"version\": \"" + version(jar) + "\"";
        return error.isEmpty() ? version + "}" : version + ", \"error\": \"" + escaped(error) + "\"}";
    }

    private static String version(String jar) {
        Matcher found = Pattern.compile(".*/" + jar + "-([0-9][^/]*)\\.jar").matcher("");
        return Arrays.stream(System.getProperty("java.class.path").split(":"))
                .filter(path -> found.reset(path).matches())
                .map(path -> found.reset(path).replaceFirst("$1"))
                .findFirst()
                .orElse("");
    }

    private static String escaped(String text) {
        StringBuilder escaped = new StringBuilder();
        for (char letter : text.toCharArray()) {
            escaped.append(letter == '"' || letter == '\\' || letter < ' '
                    ? String.format("\\u%04x", (int) letter)
                    : String.valueOf(letter));
        }
        return escaped.toString();
    }
}
