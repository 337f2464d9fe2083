public let signatureFile = "signature.json"

/// A public key of the curve P-256 (RFC 5480): what is the same in all of them, before the point's two coordinates.
let publicKeyPrefix = "3059301306072a8648ce3d020106082a8648ce3d03010703420004"
private let publicKeyText = Pattern.digits(
    "\(publicKeyPrefix)[0-9a-f]{128}", prefix: publicKeyPrefix, count: 128...128)
private let signatureText = Pattern.digits("([0-9a-f]{2}){8,80}", count: 16...160, even: true)
private let longestStatement = 10_000

/// What is signed: `paritySha256` is nil for a pack without verdicts, and the greater `version` is newer.
public struct Statement: Equatable, Sendable {
    public let model: String
    public let version: Int
    public let manifestSha256: String
    public let paritySha256: String?
}

/// A key that packs are held to; `text` is its DER form in hexadecimal digits.
public struct PublicKey: Equatable, Sendable {
    public let text: String

    fileprivate init(text: String) {
        self.text = text
    }

    /// The key of its DER form.
    ///
    /// - Throws: ``SamesightError`` it is no key of the curve P-256.
    public init(_ der: [UInt8], _ source: String) throws {
        self.init(text: hexadecimal(der))
        if !publicKeyText.matches(Substring(text).utf8) {
            throw SamesightError("\(source): is no public key for packs")
        }
    }

    /// The first 16 of the 64 hexadecimal digits of the SHA-256 of the key's DER form.
    public var fingerprint: String { String(sha256(bytes(text)).prefix(16)) }
}

private struct SignatureFields {
    let statement: String
    let publicKey: String
    let signature: String
}

/// Checks that a bundle was signed as it is; gives what the signature states.
///
/// - Parameters:
///   - folder: of the bundle.
///   - source: begins the error message.
///   - key: who has to have signed it; without one, whoever signed it is taken.
/// - Throws: ``SamesightError`` not signed, by another key, or changed since; one sentence.
public func checkSignature(_ folder: String, _ source: String, _ key: PublicKey? = nil) throws -> Statement {
    let file = "\(folder)/\(signatureFile)"
    if fileKind(file) == .nothing {
        let taken = key.map { ", and only packs signed by key \($0.fingerprint) are taken" } ?? ""
        throw SamesightError("\(source): is not signed\(taken)")
    }
    let signature = try readDocument("Signature", file, signatureFields)
    let found = PublicKey(text: signature.publicKey)
    if let key, found != key {
        throw SamesightError(
            "\(source): is signed by key \(found.fingerprint), and only \(key.fingerprint) is taken")
    }
    let text = Array(signature.statement.utf8)
    let point = Array(bytes(signature.publicKey).suffix(64))
    if !holds(point: point, signature: bytes(signature.signature), message: text) {
        throw SamesightError("\(source): its signature does not hold; \(signatureFile) was changed, get the file again")
    }
    let statement = try parseDocument("Statement", text, "\(source): \(signatureFile)", statement)
    if statement.manifestSha256 != (try hash(folder, manifestFile)) { throw changed(source, manifestFile) }
    if statement.paritySha256 != (try hash(folder, verdictsFile)) { throw changed(source, verdictsFile) }
    return statement
}

/// - Throws: ``SamesightError`` the signature is for another model.
public func checkModel(_ statement: Statement, _ model: String, _ source: String) throws {
    if !same(statement.model, model) {
        throw SamesightError("\(source): its signature is for the model \(statement.model), and it is of \(model)")
    }
}

/// - Throws: ``SamesightError`` a pack is older than the one that is there, or another of the same version.
public func checkNewer(_ statement: Statement, _ present: Statement, _ source: String) throws {
    let isOlder = statement.version < present.version
    if isOlder || statement.version == present.version && statement != present {
        throw SamesightError(
            "\(source): is version \(statement.version) of \(statement.model), and version \(present.version) is there; "
                + "only a newer one is taken")
    }
}

/// The hash of a bundle's file; nil where there is none.
private func hash(_ folder: String, _ name: String) throws -> String? {
    let file = "\(folder)/\(name)"
    return fileKind(file) == .nothing ? nil : try reading(file) { try fileSha256(file) }
}

private func changed(_ source: String, _ name: String) -> SamesightError {
    SamesightError("\(source): was changed after it was signed (\(name) differs); get the file again")
}

private func signatureFields(_ fields: Fields) throws -> SignatureFields {
    try SignatureFields(
        statement: fields.required("statement") { try $0.text(length: 1...longestStatement) },
        publicKey: fields.required("public_key") { try $0.text(publicKeyText) },
        signature: fields.required("signature") { try $0.text(signatureText) })
}

private func statement(_ fields: Fields) throws -> Statement {
    try Statement(
        model: fields.required("model") { try $0.text(modelName) },
        version: fields.required("version") { try $0.whole(1) },
        manifestSha256: fields.required("manifest_sha256", sha256),
        paritySha256: fields.nullable("parity_sha256", sha256))
}

/// The bytes of pairs of hexadecimal digits.
private func bytes(_ text: String) -> [UInt8] {
    let digits = text.utf8.compactMap(hexadecimalDigit)
    return stride(from: 0, to: digits.count - 1, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
}
