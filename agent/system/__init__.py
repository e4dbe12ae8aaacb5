"""What we ask of the operating system. Knows nothing of the product, and of the agent only errors and log.

clock         the time: wall clock and monotonic
deadline      work on a file system that may hang
stopping      a stop that wakes whoever waits
process       a child's life tied to its parent's; no dumps of what holds a key
account       root put aside; whom new files belong to
access        what an account may reach, asked of the kernel
files         opening what must be a plain file
careful       reading what must be private: one walk, each caller with its own words
atomic        writing whole or not at all
private_file  keys and link in the shared home: both of the above, in words
"""
