import Contract

/// Why an artifact that was compiled for certain chips is not for an iPhone, in a sentence; nil for all others. The chips are
/// Android's: Apple's do not tell their names, and nothing is compiled for one of them alone.
public func otherChip(_ artifact: Artifact) -> String? {
    if artifact.soc.isEmpty { return nil }
    return "\(artifact.name) is for \(artifact.soc.joined(separator: " and ")), and this device does not name its chip"
}
