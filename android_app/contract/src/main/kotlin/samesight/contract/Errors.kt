package samesight.contract

/**
 * A failure that a person can act on: one sentence with the file or field, what is wrong and what to do.
 *
 * The same faults have the same sentences as in Python.
 */
open class SamesightError(override val message: String) : Exception(message)
