import Foundation

/// Nanoseconds since some moment; a change of the phone's time does not move it.
public func uptime() -> Int { Int(DispatchTime.now().uptimeNanoseconds) }
