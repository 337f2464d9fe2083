import Testing

@testable import Contract

@Suite struct TasksTests {
    @Test func everyTaskHasItsRules() {
        #expect(Set(tasks.keys) == Set(ModelTask.allCases))
        for (task, rules) in tasks { #expect(task == rules.task) }
    }
}
