import java.io.InputStream;
import java.io.SequenceInputStream;
import java.io.ByteArrayInputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublisher;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.Collections;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Signs and verifies by HttpClient as it is by default, which asks for HTTP/2 in each request: java Caller ADDRESS
 *
 * <p>Prints a line for each answer: the step, the status and the body.
 */
public class Caller {
    static final HttpClient CLIENT = HttpClient.newHttpClient();
    static String origin;

    static String call(String step, String path, BodyPublisher body, String... headers) throws Exception {
        HttpRequest request = HttpRequest.newBuilder(URI.create(origin + path))
                .timeout(Duration.ofSeconds(20))
                .header("Sec-Signer", "1")
                .headers(headers)
                .POST(body)
                .build();
        HttpResponse<String> response = CLIENT.send(request, HttpResponse.BodyHandlers.ofString());
        System.out.println(step + " " + response.statusCode() + " " + response.body());
        return response.body();
    }

    static String callJson(String step, String path, String json) throws Exception {
        return call(step, path, BodyPublishers.ofString(json), "Content-Type", "application/json");
    }

    /** A message of 5 MB, whose length is not known before. */
    static BodyPublisher message() {
        byte[] part = "x".repeat(50_000).getBytes();
        return BodyPublishers.ofInputStream(() -> new SequenceInputStream(Collections.enumeration(
                Collections.nCopies(100, part).stream().map(each -> (InputStream) new ByteArrayInputStream(each)).toList())));
    }

    /** The part of an answer that the pattern has in parentheses. */
    static String find(String pattern, String answer) {
        Matcher matcher = Pattern.compile(pattern).matcher(answer);
        if (!matcher.find()) throw new IllegalStateException(answer);
        return matcher.group(1);
    }

    public static void main(String[] args) throws Exception {
        origin = args[0];
        String octets = "application/octet-stream";

        String signature = find("\"signature\":\"([^\"]*)\"", callJson("sign", "/v1/keys/orders/sign", "{\"message\":\"hello\"}"));
        callJson("verify", "/v1/keys/orders/verify", "{\"message\":\"hello\",\"signature\":\"" + signature + "\"}");

        String webhook = "\"body\":\"{\\\"action\\\":\\\"opened\\\"}\"";
        String headers = find("\"headers\":(\\{[^}]*\\})", callJson("sign-webhook", "/v1/keys/hooks/sign", "{" + webhook + "}"));
        callJson("verify-webhook", "/v1/keys/hooks/verify", "{" + webhook + ",\"headers\":" + headers + "}");

        String streamed = find("\"signature\":\"([^\"]*)\"",
                call("sign-stream", "/v1/keys/orders/sign", message(), "Content-Type", octets));
        call("verify-stream", "/v1/keys/orders/verify", message(), "Content-Type", octets, "Sec-Signer-Signature", streamed);

        callJson("problem", "/v1/keys/orders/sign", "{\"message\":5}");
        for (int i = 0; i < 30; i++) {
            callJson("too-large", "/v1/keys/orders/sign", "{\"message\":\"" + "x".repeat(1_200_000) + "\"}");
        }
    }
}
