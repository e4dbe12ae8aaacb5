import java.io.*;
import java.lang.management.ManagementFactory;
import java.util.*;
import java.util.concurrent.atomic.AtomicLong;
import javax.management.*;

/** A JVM to read: many timers, a wide bean that throws, one that cannot be serialized, a slow one, a costly one.
 *  Arguments: number of timers, number of other beans. Commands on standard input: register NAME, unregister NAME. */
public class Fixture {
    interface Getter { Object get() throws Exception; }

    public static class Ext implements Externalizable {
        public Ext() {}
        public void writeExternal(ObjectOutput out) throws IOException { out.writeInt(42); }
        public void readExternal(ObjectInput in) {}
    }

    public static class Custom implements Serializable { int secret = 7; }

    static class Bean implements DynamicMBean {
        final Map<String, Getter> getters = new LinkedHashMap<>();
        final Map<String, String> types = new LinkedHashMap<>();

        Bean with(String name, String type, Getter getter) {
            getters.put(name, getter);
            types.put(name, type);
            return this;
        }

        public Object getAttribute(String name) throws AttributeNotFoundException, MBeanException {
            Getter getter = getters.get(name);
            if (getter == null) throw new AttributeNotFoundException(name);
            try { return getter.get(); } catch (RuntimeException e) { throw e; } catch (Exception e) { throw new MBeanException(e); }
        }

        public AttributeList getAttributes(String[] names) {
            AttributeList list = new AttributeList();
            for (String name : names) {
                try { list.add(new Attribute(name, getAttribute(name))); } catch (Exception e) { continue; }
            }
            return list;
        }

        public MBeanInfo getMBeanInfo() {
            List<MBeanAttributeInfo> infos = new ArrayList<>();
            types.forEach((name, type) -> infos.add(new MBeanAttributeInfo(name, type, "", true, false, false)));
            return new MBeanInfo("Fixture$Bean", "", infos.toArray(new MBeanAttributeInfo[0]), null, null, null);
        }

        public void setAttribute(Attribute a) {}
        public AttributeList setAttributes(AttributeList a) { return a; }
        public Object invoke(String name, Object[] args, String[] types) { return null; }
    }

    static final MBeanServer SERVER = ManagementFactory.getPlatformMBeanServer();
    static final AtomicLong COSTLY = new AtomicLong();
    static final Random RANDOM = new Random(1);

    static Bean timer() {
        Bean bean = new Bean().with("Count", "long", () -> RANDOM.nextLong() >>> 8);
        for (String name : ("Min Max Mean StdDev 50thPercentile 75thPercentile 95thPercentile 98thPercentile 99thPercentile "
                + "999thPercentile MeanRate OneMinuteRate FiveMinuteRate").split(" "))
            bean.with(name, "double", () -> RANDOM.nextDouble());
        return bean;
    }

    static void register(String name, Bean bean) throws Exception { SERVER.registerMBean(bean, new ObjectName(name)); }

    static Bean wide() {
        Bean bean = new Bean();
        for (int i = 0; i < 90; i++) {
            int number = i;
            bean.with(String.format("a%02d", i), "int", () -> {
                if (number == 13 || number == 77) throw new IllegalStateException("attribute " + number);
                return number;
            });
        }
        return bean;
    }

    static Bean costly() {
        return new Bean() {
            @Override public MBeanInfo getMBeanInfo() { COSTLY.incrementAndGet(); return super.getMBeanInfo(); }
        }.with("NumActive", "int", () -> { COSTLY.incrementAndGet(); return 3; });
    }

    public static void main(String[] args) throws Exception {
        for (int i = 0; i < Integer.parseInt(args[0]); i++) register(String.format("fixture:type=timer,name=t%04d", i), timer());
        for (int i = 0; i < Integer.parseInt(args[1]); i++) register("other:type=bulk,name=b" + i, new Bean().with("N", "int", () -> 1));
        register("fixture:type=wide", wide());
        register("fixture:type=broken", new Bean().with("Good", "int", () -> 1)
            .with("Thread", "java.lang.Object", () -> Thread.currentThread())
            .with("Ext", "java.lang.Object", () -> new Ext())
            .with("Custom", "java.lang.Object", () -> new Custom())
            .with("Throws", "java.lang.Object", () -> { throw new IllegalStateException("no"); })
            .with("Number", "java.lang.Number", () -> 5.5));
        boolean[] broken = {false};
        register("fixture:type=late", new Bean().with("Fine", "int", () -> 2)
            .with("Turns", "java.lang.Object", () -> broken[0] ? (Object) Thread.currentThread() : (Object) 9L));
        register("fixture:type=slow", new Bean().with("Wait", "int", () -> { Thread.sleep(20_000); return 1; }));
        register("fixture:type=odd,name=\"a,b=c\\*\"", new Bean().with("N", "int", () -> 4));
        register("com.atlassian.jira:connectionpool=connections,connection=db,name=BasicDataSource", costly());
        register("fixture:type=control", new Bean().with("CostlyReads", "long", () -> COSTLY.get()));
        System.out.println("ready " + ProcessHandle.current().pid());
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String[] words = line.split(" ", 2);
            if (words[0].equals("register")) register(words[1], timer());
            if (words[0].equals("unregister")) SERVER.unregisterMBean(new ObjectName(words[1]));
            if (words[0].equals("break")) broken[0] = true;
            System.out.println("done");
        }
        System.exit(0);
    }
}
