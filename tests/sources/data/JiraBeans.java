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
            {metrics + "category00=db,category01=core,name=executionTime,tag.fromPluginKey=com.atlassian.public,"
                + "tag.query=select planted one",
                new Fixed("Count", 2L, "Mean", 9.5, "99thPercentile", 30.0)},
            {metrics + "category00=db,category01=core,name=executionTime,tag.fromPluginKey=com.atlassian.public,"
                + "tag.query=select planted two",
                new Fixed("Count", 3L, "Mean", 1.5, "99thPercentile", 40.0)},
            {metrics + "category00=db,category01=core,name=executionTime,tag.fromPluginKey=com.customer.private",
                new Fixed("Count", 100L, "Mean", 0.5, "99thPercentile", 1.0)},
            {metrics + "category00=http,category01=rest,name=request,tag.action=planted,tag.path=\"/rest/planted\","
                + "pluginKeyAtCreation=com.atlassian.public",
                new Fixed("Count", 8L, "Mean", 3.0, "99thPercentile", 5.0)},
            {metrics + "name=longRunningTask,statistic=active,tag.taskName=planted,"
                + "invokerPluginKey=com.customer.private", new Fixed("Value", 1L)},
            {"com.zaxxer.hikari:type=Pool (HikariPool-1)",
                new Fixed("ActiveConnections", 4, "IdleConnections", 6, "TotalConnections", 10,
                    "ThreadsAwaitingConnection", 2)},
            {"com.mchange.v2.c3p0:type=PooledDataSource,identityToken=1abc,name=crowd",
                new Fixed("numConnections", 9, "numBusyConnections", 3, "numIdleConnections", 6, "maxPoolSize", 30)},
            {"Catalina:type=DataSource,class=javax.sql.DataSource,host=localhost,context=/,name=\"jdbc/JiraDS\"",
                new Fixed("numActive", 5, "numIdle", 7, "maxTotal", -1)},
            {"com.hazelcast:instance=_hzInstance_1,type=IMap,name=com.example.cache",
                new Fixed("localOwnedEntryCount", 70L, "localHits", 700L)},
            {"com.hazelcast:instance=_hzInstance_1,type=HazelcastInstance.PartitionServiceMBean,name=_hzInstance_1",
                new Fixed("partitionCount", 271, "activePartitionCount", 271)},
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
