package samesight.contract

/** What a model is for. */
enum class Task { CLASSIFICATION, DETECTION }

/** The rules of every task. */
val TASKS: Map<Task, TaskRules> = listOf(CLASSIFICATION_RULES, DETECTION_RULES).associateBy { it.task }
