/// How often this thread has asked for memory since it began; -1 where that is not counted.
long counted_malloc_calls(void);
