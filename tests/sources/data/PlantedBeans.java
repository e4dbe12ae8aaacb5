import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import javax.management.Attribute;
import javax.management.AttributeList;
import javax.management.AttributeNotFoundException;
import javax.management.DynamicMBean;
import javax.management.MBeanAttributeInfo;
import javax.management.MBeanInfo;
import javax.management.ObjectName;

/** A JVM with the beans that a file names: a line each of ObjectName, attribute, whole number, with tabs between. */
public class PlantedBeans {
    static class Planted implements DynamicMBean {
        private final Map<String, Long> values = new TreeMap<>();

        public Object getAttribute(String name) throws AttributeNotFoundException {
            Long value = values.get(name);
            if (value == null) {
                throw new AttributeNotFoundException(name);
            }
            return value;
        }

        public AttributeList getAttributes(String[] names) {
            AttributeList list = new AttributeList();
            for (String name : names) {
                if (values.containsKey(name)) {
                    list.add(new Attribute(name, values.get(name)));
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
            MBeanAttributeInfo[] infos = values.keySet().stream()
                .map(name -> new MBeanAttributeInfo(name, "java.lang.Long", "", true, false, false))
                .toArray(MBeanAttributeInfo[]::new);
            return new MBeanInfo(Planted.class.getName(), "", infos, null, null, null);
        }
    }

    public static void main(String[] arguments) throws Exception {
        Map<String, Planted> beans = new TreeMap<>();
        for (String line : Files.readAllLines(Path.of(arguments[0]))) {
            String[] parts = line.split("\t");
            beans.computeIfAbsent(parts[0], name -> new Planted()).values.put(parts[1], Long.valueOf(parts[2]));
        }
        for (Map.Entry<String, Planted> bean : beans.entrySet()) {
            ManagementFactory.getPlatformMBeanServer().registerMBean(bean.getValue(), new ObjectName(bean.getKey()));
        }
        System.out.println("ready");
        while (System.in.read() >= 0) {
            continue;
        }
    }
}
