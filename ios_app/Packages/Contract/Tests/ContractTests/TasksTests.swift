import Testing

@testable import Contract

@Test func everyTaskHasItsRules() {
    #expect(Set(tasks.keys) == Set(ModelTask.allCases))
    for (task, rules) in tasks { #expect(task == rules.task) }
}
