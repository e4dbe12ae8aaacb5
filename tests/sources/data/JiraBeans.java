import java.lang.management.ManagementFactory;
import java.util.Hashtable;
import javax.management.Attribute;
import javax.management.AttributeList;
import javax.management.AttributeNotFoundException;
import javax.management.DynamicMBean;
import javax.management.MBeanAttributeInfo;
import javax.management.MBeanInfo;
import javax.management.MBeanServer;
import javax.management.ObjectName;

/** A JVM with a few of Jira's MBeans and some nasty ones, for the tests. Ends when its standard input closes. */
public class JiraBeans {
    static class Fixed implements DynamicMBean {
        private final Hashtable<String, Object> values = new Hashtable<>();

        Fixed(Object... pairs) {
            for (int i = 0; i < pairs.length; i += 2) {
                values.put((String) pairs[i], pairs[i + 1]);
            }
        }

        public Object getAttribute(String name) throws AttributeNotFoundException {
            Object value = values.get(name);
            if (value == null) {
                throw new AttributeNotFoundException(name);
            }
            if ("explode".equals(value)) {
                throw new IllegalStateException("boom");
            }
            return value;
        }

        public AttributeList getAttributes(String[] names) {
            AttributeList list = new AttributeList();
            for (String name : names) {
                try {
                    list.add(new Attribute(name, getAttribute(name)));
                } catch (AttributeNotFoundException | IllegalStateException ignored) {
                    continue;
                }
            }
            return list;
        }

        public void setAttribute(Attribute attribute) {
            throw new UnsupportedOperationException();
        }

        public AttributeList setAttributes(AttributeList attributes) {
            throw new UnsupportedOperationException();
        }

        public Object invoke(String name, Object[] parameters, String[] signature) {
            throw new UnsupportedOperationException();
        }

        public MBeanInfo getMBeanInfo() {
            MBeanAttributeInfo[] infos = values.entrySet().stream()
                .map(e -> new MBeanAttributeInfo(e.getKey(), e.getValue().getClass().getName(), "", true, false, false))
                .toArray(MBeanAttributeInfo[]::new);
            return new MBeanInfo(Fixed.class.getName(), "", infos, null, null, null);
        }
    }

    public static void main(String[] arguments) throws Exception {
        MBeanServer server = ManagementFactory.getPlatformMBeanServer();
        String metrics = "com.atlassian.jira:type=metrics,";
        Object[][] beans = {
            {"com.atlassian.jira:type=entity.issues.total", new Fixed("Value", 3000L)},
            {"com.atlassian.jira:type=issue.created.count", new Fixed("Value", 17L)},
            {"com.atlassian.jira:type=db.reads", new Fixed("invocation.count", 123456L)},
            {"com.atlassian.jira:name=BasicDataSource,connectionpool=connections",
                new Fixed("MaxTotal", -1, "NumActive", 4, "NumIdle", 16)},
            {"com.atlassian.jira:connectionpool=connections,connection=7,name=BasicDataSource",
                new Fixed("MaxTotal", 99, "NumActive", 99, "NumIdle", 99)},
            {metrics + "category00=db,category01=connection,category02=state,name=value", new Fixed("Value", true)},
            {metrics + "category00=db,category01=connection,category02=latency,name=value",
                new Fixed("Value", Double.NaN)},
            {metrics + "category00=home,category01=local,category02=write,category03=latency,name=value",
                new Fixed("Value", Double.POSITIVE_INFINITY)},
            {metrics + "category00=http,category01=requests,name=value", new Fixed("Value", "many \"requests\"")},
            {metrics + "category00=mail,category01=outgoing,category02=connection,category03=state,name=mail.example.com",
                new Fixed("Connected", true, "TotalFailures", 2L)},
            {metrics + "category00=issue,name=reindexing", new Fixed("Count", 5L, "Mean", 1.5, "99thPercentile", "explode")},
            {"Catalina:type=ThreadPool,name=\"http-nio-8080\"",
                new Fixed("currentThreadsBusy", 3, "currentThreadCount", 25, "maxThreads", 200, "connectionCount", 8L)},
            {"Catalina:type=ThreadPool,name=\"odd;name/with=signs,and quotes\"",
                new Fixed("currentThreadsBusy", 1, "currentThreadCount", 2, "maxThreads", 3, "connectionCount", 4L)},
            {"Standalone:type=GlobalRequestProcessor,name=\"http-nio-8090\"", new Fixed("requestCount", 42, "errorCount", 1)},
            {"Catalina:type=Manager,host=secret-host.example.com,context=/jira", new Fixed("activeSessions", 6)},
        };
        for (Object[] bean : beans) {
            server.registerMBean(bean[1], new ObjectName((String) bean[0]));
        }
        System.out.println("ready");
        while (System.in.read() >= 0) {
            continue;
        }
    }
}
