import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.DoubleSupplier;
import java.util.function.Supplier;
import javax.management.Attribute;
import javax.management.AttributeList;
import javax.management.AttributeNotFoundException;
import javax.management.DynamicMBean;
import javax.management.MBeanAttributeInfo;
import javax.management.MBeanInfo;
import javax.management.MBeanServer;
import javax.management.ObjectName;
import javax.management.ReflectionException;

/**
 * A stand-in for Jira's JVM: its MBeans, Tomcat's and the JVM's own, with values that move as under light use.
 *
 * Run from source, on loopback only:
 *   java -Dcom.sun.management.jmxremote.port=PORT -Dcom.sun.management.jmxremote.rmi.port=PORT
 *        -Dcom.sun.management.jmxremote.host=127.0.0.1 -Djava.rmi.server.hostname=127.0.0.1
 *        -Dcom.sun.management.jmxremote.authenticate=false -Dcom.sun.management.jmxremote.ssl=false
 *        DemoJira.java
 *
 * Prints READY when all beans are there and ends when its standard input ends. Prints TRAP READ and a name to
 * standard error when somebody reads a bean that a real Jira must not be asked for.
 */
public final class DemoJira {
    private static final long STARTED_NS = System.nanoTime();
    private static final AtomicInteger TRAPS = new AtomicInteger();
    private static final String JIRA = "com.atlassian.jira:";
    private static final String METRICS = JIRA + "type=metrics,";

    private final MBeanServer server = ManagementFactory.getPlatformMBeanServer();

    /** One bean: attribute names as they are (they may hold dots or begin with a digit), each with what gives its value. */
    private static final class Bean implements DynamicMBean {
        private final Map<String, Supplier<Object>> attributes;

        Bean(Map<String, Supplier<Object>> attributes) {
            this.attributes = attributes;
        }

        @Override
        public Object getAttribute(String name) throws AttributeNotFoundException, ReflectionException {
            Supplier<Object> attribute = attributes.get(name);
            if (attribute == null) {
                throw new AttributeNotFoundException(name);
            }
            return attribute.get();
        }

        @Override
        public AttributeList getAttributes(String[] names) {
            AttributeList found = new AttributeList();
            for (String name : names) {
                if (attributes.containsKey(name)) {
                    found.add(new Attribute(name, attributes.get(name).get()));
                }
            }
            return found;
        }

        @Override
        public void setAttribute(Attribute attribute) throws AttributeNotFoundException {
            throw new AttributeNotFoundException("read-only: " + attribute.getName());
        }

        @Override
        public AttributeList setAttributes(AttributeList wanted) {
            return new AttributeList();
        }

        @Override
        public Object invoke(String action, Object[] parameters, String[] signature) throws ReflectionException {
            throw new ReflectionException(new NoSuchMethodException(action));
        }

        @Override
        public MBeanInfo getMBeanInfo() {
            List<MBeanAttributeInfo> infos = new ArrayList<>();
            attributes.forEach((name, value) ->
                infos.add(new MBeanAttributeInfo(name, "java.lang.Object", name, true, false, false)));
            return new MBeanInfo(DemoJira.class.getName(), "demo", infos.toArray(new MBeanAttributeInfo[0]), null, null, null);
        }
    }

    private static double seconds() {
        return (System.nanoTime() - STARTED_NS) / 1e9;
    }

    /** Grows by about perSecond each second, never back. */
    private static Supplier<Object> growing(long start, double perSecond) {
        return () -> start + (long) (seconds() * perSecond);
    }

    /** Swings between low and high within the given period. */
    private static Supplier<Object> swinging(long low, long high, double periodS) {
        return () -> Math.round(low + (high - low) * (0.5 + 0.5 * Math.sin(2 * Math.PI * seconds() / periodS)));
    }

    private static Supplier<Object> fixed(Object value) {
        return () -> value;
    }

    private static double jitter(double mean) {
        return mean * ThreadLocalRandom.current().nextDouble(0.7, 1.3);
    }

    private void add(String name, Map<String, Supplier<Object>> attributes) throws Exception {
        server.registerMBean(new Bean(attributes), new ObjectName(name));
    }

    private void add(String name, String attribute, Supplier<Object> value) throws Exception {
        add(name, Map.of(attribute, value));
    }

    /** The bean of a timer, as the metrics library of the product shows it. */
    private void addTimer(String name, double perSecond, double meanMs) throws Exception {
        Map<String, Supplier<Object>> timer = new LinkedHashMap<>();
        timer.put("Count", growing(100, perSecond));
        DoubleSupplier mean = () -> jitter(meanMs);
        timer.put("Mean", mean::getAsDouble);
        timer.put("Min", fixed(meanMs / 10));
        timer.put("Max", fixed(meanMs * 30));
        timer.put("StdDev", fixed(meanMs / 2));
        timer.put("50thPercentile", () -> jitter(meanMs * 0.8));
        timer.put("75thPercentile", () -> jitter(meanMs * 1.5));
        timer.put("95thPercentile", () -> jitter(meanMs * 4));
        timer.put("98thPercentile", () -> jitter(meanMs * 7));
        timer.put("99thPercentile", () -> jitter(meanMs * 10));
        timer.put("999thPercentile", () -> jitter(meanMs * 20));
        timer.put("MeanRate", fixed(perSecond));
        timer.put("OneMinuteRate", () -> jitter(perSecond));
        timer.put("FiveMinuteRate", () -> jitter(perSecond));
        timer.put("FifteenMinuteRate", () -> jitter(perSecond));
        timer.put("DurationUnit", fixed("milliseconds"));
        timer.put("RateUnit", fixed("events/second"));
        add(name, timer);
    }

    private void addOlderStyle() throws Exception {
        Map<String, Integer> totals = Map.of("attachments", 1234, "components", 48, "customfields", 96, "filters", 210,
            "groups", 17, "issues", 5000, "users", 321, "versions", 64);
        for (Map.Entry<String, Integer> total : totals.entrySet()) {
            double perSecond = total.getKey().equals("issues") ? 0.5 : 0.01;
            add(JIRA + "type=entity." + total.getKey() + ".total", "Value", growing(total.getValue(), perSecond));
        }
        Map<String, Double> counts = Map.of("issue.assigned", 0.3, "issue.created", 0.5, "issue.link", 0.1,
            "issue.search", 4.0, "issue.updated", 1.5, "issue.worklogged", 0.2, "dashboard.view", 0.7);
        for (Map.Entry<String, Double> count : counts.entrySet()) {
            add(JIRA + "type=" + count.getKey() + ".count", "Value", growing(0, count.getValue()));
        }
        add(JIRA + "type=quicksearch.concurrent.search", "Value", swinging(0, 4, 7));
        add(JIRA + "type=db.reads", "invocation.count", growing(1000, 120));
        add(JIRA + "type=db.writes", "invocation.count", growing(100, 9));
        add(JIRA + "type=jira.license", "jira-software",
            fixed("{\"current_user_count\":321,\"max_user_count\":500}"));
        add(JIRA + "name=BasicDataSource,connectionpool=connections", Map.of(
            "MaxTotal", fixed(20), "NumActive", swinging(1, 8, 11), "NumIdle", swinging(2, 12, 13)));
        // In a real Jira these ask the connection itself and can hang or fail (JRASERVER-72688): never read them.
        for (int connection = 1; connection <= 3; connection++) {
            String name = JIRA + "name=BasicDataSource,connectionpool=connections,connection=" + connection;
            Map<String, Supplier<Object>> traps = new LinkedHashMap<>();
            for (String attribute : List.of("AutoCommit", "Catalog", "ReadOnly", "Closed")) {
                traps.put(attribute, () -> {
                    System.err.println("TRAP READ " + TRAPS.incrementAndGet() + " " + name + " " + attribute);
                    return Boolean.TRUE;
                });
            }
            add(name, traps);
        }
    }

    private void addNewerStyle() throws Exception {
        String connection = METRICS + "category00=db,category01=connection,";
        add(connection + "category02=state,name=value", "Value", fixed(1));
        add(connection + "category02=failures,name=counter", "Count", growing(0, 0.02));
        add(connection + "category02=latency,name=value", "Value", swinging(1, 6, 9));
        addTimer(connection + "category02=latency,name=statistics", 0.2, 2.4);
        add(connection + "category02=pool,category03=numActive,name=value", "Value", swinging(1, 8, 11));
        add(connection + "category02=pool,category03=numIdle,name=value", "Value", swinging(2, 12, 13));
        String http = METRICS + "category00=http,category01=connection,";
        add(http + "category02=pool,category03=numActive,name=value", "Value", swinging(1, 25, 17));
        add(http + "category02=pool,category03=numIdle,name=value", "Value", swinging(5, 30, 19));
        add(http + "category02=sessions,category03=active,name=value", "Value", swinging(20, 90, 40));
        add(METRICS + "category00=http,category01=requests,name=value", "Value", swinging(200, 900, 30));
        Map<String, Long> queue = Map.of("numItems", 6L, "numErrors", 1L, "numEmailsSentPerMin", 12L,
            "numItemsProcessedPerMin", 14L, "jobRunning", 1L);
        for (Map.Entry<String, Long> item : queue.entrySet()) {
            add(METRICS + "category00=mail,category01=queue,category02=" + item.getKey() + ",name=value", "Value",
                swinging(0, item.getValue(), 15));
        }
        // An admin types these names: they are user content and must not leave.
        add(METRICS + "category00=mail,category01=outgoing,category02=connection,category03=state,name=Mail of Erika Mustermann",
            Map.of("Connected", fixed(true), "TotalFailures", growing(0, 0.01)));
        add(METRICS + "category00=mail,category01=incoming,category02=connection,category03=state,name=support@example.com",
            Map.of("Connected", fixed(true), "TotalFailures", growing(2, 0.01)));
        for (String home : List.of("local", "shared")) {
            String write = METRICS + "category00=home,category01=" + home + ",category02=write,category03=latency,";
            add(write + "name=value", "Value", swinging(1, home.equals("shared") ? 30 : 5, 21));
            addTimer(write + "name=statistics", 0.02, home.equals("shared") ? 12 : 2);
        }
        for (String operation : List.of("issueAddFieldIndexers", "waitForUpdateIndex")) {
            addTimer(METRICS + "category00=indexing,name=" + operation, 1.2, 8);
        }
        addTimer(METRICS + "category00=issue,name=reindexing", 0.4, 25);
        addTimer(METRICS + "category00=node,category01=latency,name=statistics", 0.1, 3);
        String lock = METRICS + "category00=cluster,category01=lock,";
        addTimer(lock + "category02=held,tag.lockName=project-CUSTOMER-Z,tag.pluginKeyAtCreation=com.atlassian.jira.plugin.demo", 0.3, 5);
        addTimer(lock + "category02=waited,tag.lockName=sync,tag.pluginKeyAtCreation=com.customer-z.secret-app", 0.1, 1);
        add(METRICS + "category00=plugin,category01=enabled,name=counter", "Count", growing(180, 0.01));
        add(METRICS + "category00=plugin,category01=disabled,name=counter", "Count", fixed(3L));
        // A private app's key and a request path: consent has to hash the first and keep back the second.
        addTimer(METRICS + "category00=http,category01=rest,name=request,tag.path=/rest/secret/1.0/customer-z,"
            + "tag.fromPluginKey=com.customer-z.secret-app", 0.5, 40);
        addTimer(METRICS + "category00=db,category01=ao,name=upgradeTask,tag.taskName=import-customer-z,"
            + "tag.invokerPluginKey=com.atlassian.jira.plugin.demo", 0.01, 400);
    }

    private void addTomcat() throws Exception {
        String connector = "name=\"http-nio-8080\"";
        add("Catalina:type=GlobalRequestProcessor," + connector, Map.of(
            "requestCount", growing(5000, 9), "errorCount", growing(12, 0.05), "processingTime", growing(90000, 600),
            "bytesReceived", growing(1 << 20, 4096), "bytesSent", growing(1 << 24, 65536), "maxTime", fixed(8123L)));
        add("Catalina:type=ThreadPool," + connector, Map.of(
            "currentThreadCount", swinging(10, 60, 33), "currentThreadsBusy", swinging(1, 24, 12),
            "maxThreads", fixed(100), "connectionCount", swinging(5, 40, 23)));
        add("Catalina:type=Manager,host=localhost,context=/", Map.of(
            "activeSessions", swinging(20, 90, 40), "rejectedSessions", fixed(0), "expiredSessions", growing(50, 0.1),
            "sessionCounter", growing(400, 0.4)));
    }

    public static void main(String[] arguments) throws Exception {
        DemoJira product = new DemoJira();
        product.addOlderStyle();
        product.addNewerStyle();
        product.addTomcat();
        System.out.println("READY");
        System.out.flush();
        // The one who started us holds the other end: when it ends, however it ends, so do we.
        while (System.in.read() != -1) {
            continue;
        }
        System.exit(0);
    }
}
