"""Our int8 beside what others' quantizers make of the same networks, on the same images, in one run."""
