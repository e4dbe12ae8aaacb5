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

/** A JVM with the beans that a file names: a line each of ObjectName, attribute, whole number or text, with tabs between.
 * The text "!broken" is a value that cannot be sent, one that begins with "!refused " is thrown as an exception. */
public class PlantedBeans {
    static class Planted implements DynamicMBean {
        private final Map<String, Object> values = new TreeMap<>();

        public Object getAttribute(String name) throws AttributeNotFoundException {
            Object value = values.get(name);
            if (value == null) {
                throw new AttributeNotFoundException(name);
            }
            refuse(value);
            return value;
        }

        public AttributeList getAttributes(String[] names) {
            AttributeList list = new AttributeList();
            for (String name : names) {
                if (values.containsKey(name)) {
                    refuse(values.get(name));
                    list.add(new Attribute(name, values.get(name)));
                }
            }
            return list;
        }

        private static void refuse(Object value) {
            if (value instanceof String text && text.startsWith("!refused ")) {
                throw new IllegalStateException(text);
            }
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
                .map(entry -> new MBeanAttributeInfo(entry.getKey(), typeOf(entry.getValue()), "", true, false, false))
                .toArray(MBeanAttributeInfo[]::new);
            return new MBeanInfo(Planted.class.getName(), "", infos, null, null, null);
        }
    }

    /** Something that says it is a number and cannot be sent. */
    static class Broken {
    }

    private static String typeOf(Object value) {
        return (value instanceof Broken ? Long.class : value.getClass()).getName();
    }

    private static Object valueOf(String text) {
        if (text.equals("!broken")) {
            return new Broken();
        }
        return text.matches("-?\\d+") ? (Object) Long.valueOf(text) : text;
    }

    public static void main(String[] arguments) throws Exception {
        Map<String, Planted> beans = new TreeMap<>();
        for (String line : Files.readAllLines(Path.of(arguments[0]))) {
            String[] parts = line.split("\t");
            beans.computeIfAbsent(parts[0], name -> new Planted()).values.put(parts[1], valueOf(parts[2]));
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
