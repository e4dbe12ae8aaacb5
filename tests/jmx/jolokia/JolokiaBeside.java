import com.sun.net.httpserver.BasicAuthenticator;
import com.sun.net.httpserver.HttpContext;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import com.sun.net.httpserver.HttpsConfigurator;
import com.sun.net.httpserver.HttpsParameters;
import com.sun.net.httpserver.HttpsServer;
import java.io.FileInputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.security.KeyStore;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.Executors;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.TrustManagerFactory;
import org.jolokia.backend.BackendManager;
import org.jolokia.config.ConfigKey;
import org.jolokia.config.Configuration;
import org.jolokia.http.HttpRequestHandler;
import org.jolokia.restrictor.AllowAllRestrictor;
import org.jolokia.util.LogHandler;

/**
 * The fixture's MBeans behind Jolokia's own request handler, over the JDK's HTTP server. Arguments key=value: jolokia (port), jolokia_user
 * and jolokia_password, store (PKCS#12 with key and trust; makes it HTTPS), store_password, client_auth; the rest goes to JmxFixture.
 */
public final class JolokiaBeside {
    private static final LogHandler SILENT = new LogHandler() {
        @Override
        public void debug(String message) { }

        @Override
        public void info(String message) { }

        @Override
        public void error(String message, Throwable cause) { }
    };

    private static SSLContext context(Map<String, String> options) throws Exception {
        char[] password = options.get("store_password").toCharArray();
        KeyStore keys = KeyStore.getInstance("PKCS12");
        try (FileInputStream file = new FileInputStream(options.get("store"))) {
            keys.load(file, password);
        }
        KeyStore trusted = KeyStore.getInstance("PKCS12");
        try (FileInputStream file = new FileInputStream(options.get("trust"))) {
            trusted.load(file, password);
        }
        KeyManagerFactory own = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        own.init(keys, password);
        TrustManagerFactory others = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        others.init(trusted);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(own.getKeyManagers(), others.getTrustManagers(), null);
        return context;
    }

    private static HttpServer open(Map<String, String> options) throws Exception {
        InetSocketAddress address =
            new InetSocketAddress(InetAddress.getByName("127.0.0.1"), Integer.parseInt(options.get("jolokia")));
        if (!options.containsKey("store")) {
            return HttpServer.create(address, 0);
        }
        boolean clientAuth = "true".equals(options.get("jolokia_client_auth"));
        HttpsServer server = HttpsServer.create(address, 0);
        server.setHttpsConfigurator(new HttpsConfigurator(context(options)) {
            @Override
            public void configure(HttpsParameters parameters) {
                SSLParameters wanted = getSSLContext().getDefaultSSLParameters();
                wanted.setNeedClientAuth(clientAuth);
                parameters.setSSLParameters(wanted);
            }
        });
        return server;
    }

    private static void answer(HttpRequestHandler jolokia, HttpExchange exchange) throws IOException {
        String json;
        try {
            json = jolokia.handlePostRequest("/jolokia", exchange.getRequestBody(), "UTF-8", new HashMap<>()).toJSONString();
        } catch (Exception error) {
            // as Jolokia's own agents do
            json = jolokia.handleThrowable(error).toJSONString();
        }
        byte[] body = json.getBytes(StandardCharsets.UTF_8);
        exchange.getResponseHeaders().set("Content-Type", "text/plain; charset=utf-8");
        exchange.sendResponseHeaders(200, body.length);
        exchange.getResponseBody().write(body);
        exchange.close();
    }

    public static void main(String[] arguments) throws Exception {
        Map<String, String> options = new HashMap<>();
        for (String argument : arguments) {
            String[] pair = argument.split("=", 2);
            options.put(pair[0], pair[1]);
        }
        Configuration configuration = new Configuration(ConfigKey.AGENT_ID, "fixture");
        HttpRequestHandler jolokia =
            new HttpRequestHandler(configuration, new BackendManager(configuration, SILENT, new AllowAllRestrictor()), SILENT);
        HttpServer server = open(options);
        HttpContext path = server.createContext("/jolokia", exchange -> answer(jolokia, exchange));
        if (options.containsKey("jolokia_user")) {
            path.setAuthenticator(new BasicAuthenticator("jolokia") {
                @Override
                public boolean checkCredentials(String user, String password) {
                    return user.equals(options.get("jolokia_user")) && password.equals(options.get("jolokia_password"));
                }
            });
        }
        server.setExecutor(Executors.newCachedThreadPool(task -> {
            Thread thread = new Thread(task);
            thread.setDaemon(true);
            return thread;
        }));
        server.start();
        JmxFixture.main(Arrays.stream(arguments).filter(a -> !a.startsWith("jolokia") && !a.startsWith("store")
            && !a.startsWith("trust")).toArray(String[]::new));
    }
}
