#if canImport(CryptoKit)
    import CryptoKit
    import Foundation

    /// SHA-256 of bytes that come piece by piece.
    struct Sha256 {
        private var hash = SHA256()

        mutating func update(_ bytes: UnsafeRawBufferPointer) { hash.update(bufferPointer: bytes) }

        func finished() -> [UInt8] { Array(hash.finalize()) }
    }
#else
    /// SHA-256 (FIPS 180-4) of bytes that come piece by piece, where the system has no CryptoKit: Linux, for tests.
    struct Sha256 {
        private var state: [UInt32] = [
            0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19,
        ]
        private var words = [UInt32](repeating: 0, count: 64)
        private var rest: [UInt8] = []
        private var count: UInt64 = 0

        mutating func update(_ bytes: UnsafeRawBufferPointer) {
            count += UInt64(bytes.count)
            var from = 0
            if !rest.isEmpty {
                from = min(64 - rest.count, bytes.count)
                rest.append(contentsOf: bytes[..<from])
                if rest.count < 64 { return }
                let block = rest
                block.withUnsafeBytes { compress($0, 0) }
                rest.removeAll(keepingCapacity: true)
            }
            while bytes.count - from >= 64 {
                compress(bytes, from)
                from += 64
            }
            rest.append(contentsOf: bytes[from...])
        }

        func finished() -> [UInt8] {
            var copy = self
            let zeros = (119 - Int(count % 64)) % 64
            let length = (0..<8).map { UInt8(truncatingIfNeeded: (count * 8) >> (56 - 8 * UInt64($0))) }
            let end = [0x80] + [UInt8](repeating: 0, count: zeros) + length
            end.withUnsafeBytes { copy.update($0) }
            return copy.state.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> (24 - 8 * UInt32($0))) }
            }
        }

        private mutating func compress(_ bytes: UnsafeRawBufferPointer, _ from: Int) {
            words.withUnsafeMutableBufferPointer { w in
                for i in 0..<16 {
                    w[i] = UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: from + 4 * i, as: UInt32.self))
                }
                for i in 16..<64 {
                    let a = w[i - 15]
                    let b = w[i - 2]
                    let first = turned(a, 7) ^ turned(a, 18) ^ a >> 3
                    w[i] = w[i - 16] &+ first &+ w[i - 7] &+ (turned(b, 17) ^ turned(b, 19) ^ b >> 10)
                }
                state.withUnsafeMutableBufferPointer { s in
                    var (a, b, c, d) = (s[0], s[1], s[2], s[3])
                    var (e, f, g, h) = (s[4], s[5], s[6], s[7])
                    roundConstants.withUnsafeBufferPointer { k in
                        for i in 0..<64 {
                            let chosen = turned(e, 6) ^ turned(e, 11) ^ turned(e, 25)
                            let one = h &+ chosen &+ (e & f ^ ~e & g) &+ k[i] &+ w[i]
                            let two = (turned(a, 2) ^ turned(a, 13) ^ turned(a, 22)) &+ (a & b ^ a & c ^ b & c)
                            (h, g, f, e) = (g, f, e, d &+ one)
                            (d, c, b, a) = (c, b, a, one &+ two)
                        }
                    }
                    for (i, word) in [a, b, c, d, e, f, g, h].enumerated() { s[i] &+= word }
                }
            }
        }
    }

    private func turned(_ word: UInt32, _ by: UInt32) -> UInt32 { word >> by | word << (32 - by) }

    /// The first 32 bits after the point of the cube roots of the first 64 primes.
    private let roundConstants: [UInt32] = [
        0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5, 0x3956_c25b, 0x59f1_11f1, 0x923f_82a4, 0xab1c_5ed5,
        0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3, 0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174,
        0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc, 0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da,
        0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7, 0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967,
        0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13, 0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85,
        0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3, 0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070,
        0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5, 0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3,
        0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208, 0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2,
    ]
#endif
