/// Memory for a fixed count of numbers that ends with its owner. What goes over every pixel of every frame uses it: an
/// array would check each access.
final class Buffer<Element: BitwiseCopyable> {
    let start: UnsafeMutablePointer<Element>
    let count: Int

    init(repeating element: Element, count: Int) {
        start = .allocate(capacity: max(count, 1))
        start.initialize(repeating: element, count: count)
        self.count = count
    }

    convenience init(_ elements: [Element]) where Element: Numeric {
        self.init(repeating: 0, count: elements.count)
        for (place, element) in elements.enumerated() { start[place] = element }
    }

    deinit {
        start.deallocate()
    }
}
