"""The product's JVM, read over JMX."""
