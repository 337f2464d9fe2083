#if canImport(CryptoKit)
    import CryptoKit
    import Foundation

    /// Whether an ECDSA signature (P-256, SHA-256) of a message holds.
    ///
    /// - Parameters:
    ///   - point: the public key's x and y, 32 bytes each, the greatest first.
    ///   - signature: in DER form.
    package func holds(point: [UInt8], signature: [UInt8], message: [UInt8]) -> Bool {
        guard let key = try? P256.Signing.PublicKey(rawRepresentation: point),
            let signature = try? P256.Signing.ECDSASignature(derRepresentation: signature)
        else { return false }
        return key.isValidSignature(signature, for: message)
    }
#else
    /// Whether an ECDSA signature (P-256, SHA-256) of a message holds (FIPS 186-5, section 6.4.2), where the system has no
    /// CryptoKit: Linux, for tests. Nothing here is secret, so its time may depend on the numbers.
    ///
    /// - Parameters:
    ///   - point: the public key's x and y, 32 bytes each, the greatest first.
    ///   - signature: in DER form.
    package func holds(point: [UInt8], signature: [UInt8], message: [UInt8]) -> Bool {
        guard point.count == 64, let (r, s) = derPair(signature) else { return false }
        let (x, y) = (Number(point[..<32]), Number(point[32...]))
        guard x < prime.modulus, y < prime.modulus else { return false }
        let key = Point(x: prime.into(x), y: prime.into(y), z: prime.one)
        guard key.isOnCurve, r.isBetweenZeroAnd(groupOrder.modulus), s.isBetweenZeroAnd(groupOrder.modulus) else {
            return false
        }
        var hash = Sha256()
        message.withUnsafeBytes { hash.update($0) }
        let inverse = groupOrder.inverse(groupOrder.into(s))
        let one = groupOrder.outOf(
            groupOrder.multiply(groupOrder.into(groupOrder.reduced(Number(hash.finished()[...]))), inverse))
        let other = groupOrder.outOf(groupOrder.multiply(groupOrder.into(r), inverse))
        guard let found = sum(one, basePoint, other, key).affineX else { return false }
        return groupOrder.reduced(found) == r
    }

    /// Two positive integers of at most 32 bytes in DER's one form (X.690, section 8.3).
    private func derPair(_ bytes: [UInt8]) -> (Number, Number)? {
        guard bytes.count >= 2, bytes[0] == 0x30, bytes[1] < 0x80, Int(bytes[1]) == bytes.count - 2 else { return nil }
        var at = 2
        func integer() -> Number? {
            guard at + 2 <= bytes.count, bytes[at] == 2 else { return nil }
            let count = Int(bytes[at + 1])
            guard count > 0, count <= 33, at + 2 + count <= bytes.count else { return nil }
            let digits = bytes[(at + 2)..<(at + 2 + count)]
            at += 2 + count
            // Negative, or with a zero that no sign asks for.
            if digits[digits.startIndex] >= 0x80 { return nil }
            if count > 1 && digits[digits.startIndex] == 0 && digits[digits.startIndex + 1] < 0x80 { return nil }
            let significant = digits.drop { $0 == 0 }
            return significant.count <= 32 ? Number(significant) : nil
        }
        guard let r = integer(), let s = integer(), at == bytes.count else { return nil }
        return (r, s)
    }

    /// 256 bits without a sign, the least significant first.
    private struct Number: Equatable {
        var words: SIMD4<UInt64>

        init(_ a: UInt64, _ b: UInt64, _ c: UInt64, _ d: UInt64) {
            words = SIMD4(a, b, c, d)
        }

        /// At most 32 bytes, the greatest first.
        init(_ bytes: ArraySlice<UInt8>) {
            words = .zero
            for (place, byte) in bytes.reversed().enumerated() {
                words[place / 8] |= UInt64(byte) << UInt64(8 * (place % 8))
            }
        }

        var isZero: Bool { words == .zero }

        func bit(_ place: Int) -> Bool { words[place / 64] >> UInt64(place % 64) & 1 == 1 }

        func isBetweenZeroAnd(_ limit: Number) -> Bool { !isZero && self < limit }

        static func < (one: Number, other: Number) -> Bool { one.minus(other).borrows }

        func plus(_ other: Number) -> (sum: Number, carries: Bool) {
            var result = self
            var carry: UInt64 = 0
            for i in 0..<4 {
                let (partial, first) = words[i].addingReportingOverflow(other.words[i])
                let (total, second) = partial.addingReportingOverflow(carry)
                result.words[i] = total
                carry = first || second ? 1 : 0
            }
            return (result, carry == 1)
        }

        func minus(_ other: Number) -> (difference: Number, borrows: Bool) {
            var result = self
            var borrow: UInt64 = 0
            for i in 0..<4 {
                let (partial, first) = words[i].subtractingReportingOverflow(other.words[i])
                let (total, second) = partial.subtractingReportingOverflow(borrow)
                result.words[i] = total
                borrow = first || second ? 1 : 0
            }
            return (result, borrow == 1)
        }
    }

    /// Arithmetic modulo a prime of 256 bits, on numbers times 2^256 (Montgomery 1985).
    private struct Field: Sendable {
        let modulus: Number
        /// -1 / modulus, modulo 2^64.
        private let inverse: UInt64
        private let square: Number
        let one: Number

        init(_ modulus: Number) {
            self.modulus = modulus
            // Newton's method doubles the right bits each time.
            var inverse: UInt64 = 1
            for _ in 0..<6 { inverse &*= 2 &- modulus.words[0] &* inverse }
            self.inverse = 0 &- inverse
            // 2^256 modulo the modulus, which is more than half of that; then doubled 256 times.
            let one = Number(0, 0, 0, 0).minus(modulus).difference
            self.one = one
            var square = one
            for _ in 0..<256 { square = Field.sum(square, square, modulus) }
            self.square = square
        }

        private static func sum(_ a: Number, _ b: Number, _ modulus: Number) -> Number {
            let (sum, carries) = a.plus(b)
            let (difference, borrows) = sum.minus(modulus)
            return carries || !borrows ? difference : sum
        }

        func add(_ a: Number, _ b: Number) -> Number { Field.sum(a, b, modulus) }

        func subtract(_ a: Number, _ b: Number) -> Number {
            let (difference, borrows) = a.minus(b)
            return borrows ? difference.plus(modulus).sum : difference
        }

        func reduced(_ number: Number) -> Number {
            let (difference, borrows) = number.minus(modulus)
            return borrows ? number : difference
        }

        /// a * b / 2^256.
        func multiply(_ a: Number, _ b: Number) -> Number {
            var total = [UInt64](repeating: 0, count: 6)
            for i in 0..<4 {
                accumulate(&total, a.words[i], b)
                accumulate(&total, total[0] &* inverse, modulus)
                total.removeFirst()
                total.append(0)
            }
            let result = Number(total[0], total[1], total[2], total[3])
            return total[4] != 0 || !(result < modulus) ? result.minus(modulus).difference : result
        }

        private func accumulate(_ total: inout [UInt64], _ factor: UInt64, _ number: Number) {
            var carry: UInt64 = 0
            for i in 0..<4 {
                let (high, low) = factor.multipliedFullWidth(by: number.words[i])
                let (partial, first) = total[i].addingReportingOverflow(low)
                let (sum, second) = partial.addingReportingOverflow(carry)
                total[i] = sum
                carry = high + (first ? 1 : 0) + (second ? 1 : 0)
            }
            let (sum, overflows) = total[4].addingReportingOverflow(carry)
            total[4] = sum
            total[5] += overflows ? 1 : 0
        }

        func into(_ number: Number) -> Number { multiply(number, square) }

        func outOf(_ number: Number) -> Number { multiply(number, Number(1, 0, 0, 0)) }

        /// By Fermat: the power of modulus - 2.
        func inverse(_ number: Number) -> Number {
            let exponent = modulus.minus(Number(2, 0, 0, 0)).difference
            var result = one
            for place in (0..<256).reversed() {
                result = multiply(result, result)
                if exponent.bit(place) { result = multiply(result, number) }
            }
            return result
        }
    }

    // The curve P-256 (SP 800-186, section 3.2.1.3): y^2 = x^3 - 3 x + b.
    private let prime = Field(Number(0xffff_ffff_ffff_ffff, 0x0000_0000_ffff_ffff, 0, 0xffff_ffff_0000_0001))
    private let groupOrder = Field(
        Number(0xf3b9_cac2_fc63_2551, 0xbce6_faad_a717_9e84, 0xffff_ffff_ffff_ffff, 0xffff_ffff_0000_0000))
    private let curveB = prime.into(
        Number(0x3bce_3c3e_27d2_604b, 0x651d_06b0_cc53_b0f6, 0xb3eb_bd55_7698_86bc, 0x5ac6_35d8_aa3a_93e7))
    private let basePoint = Point(
        x: prime.into(
            Number(0xf4a1_3945_d898_c296, 0x7703_7d81_2deb_33a0, 0xf8bc_e6e5_63a4_40f2, 0x6b17_d1f2_e12c_4247)),
        y: prime.into(
            Number(0xcbb6_4068_37bf_51f5, 0x2bce_3357_6b31_5ece, 0x8ee7_eb4a_7c0f_9e16, 0x4fe3_42e2_fe1a_7f9b)),
        z: prime.one)

    /// A point (x / z^2, y / z^3); with z = 0 the one at infinity.
    private struct Point {
        var x: Number
        var y: Number
        var z: Number

        static let infinity = Point(x: prime.one, y: prime.one, z: Number(0, 0, 0, 0))

        /// For z = 1.
        var isOnCurve: Bool {
            let cube = prime.multiply(prime.multiply(x, x), x)
            let three = prime.add(prime.add(x, x), x)
            return prime.multiply(y, y) == prime.add(prime.subtract(cube, three), curveB)
        }

        var affineX: Number? {
            if z.isZero { return nil }
            let inverse = prime.inverse(z)
            return prime.outOf(prime.multiply(x, prime.multiply(inverse, inverse)))
        }

        /// Doubling for a = -3 (Explicit-Formulas Database, dbl-2001-b).
        func doubled() -> Point {
            if z.isZero { return self }
            let f = prime
            let delta = f.multiply(z, z)
            let gamma = f.multiply(y, y)
            let beta = f.multiply(x, gamma)
            let product = f.multiply(f.subtract(x, delta), f.add(x, delta))
            let alpha = f.add(f.add(product, product), product)
            let beta4 = f.add(f.add(beta, beta), f.add(beta, beta))
            let newX = f.subtract(f.multiply(alpha, alpha), f.add(beta4, beta4))
            let sum = f.add(y, z)
            let newZ = f.subtract(f.subtract(f.multiply(sum, sum), gamma), delta)
            let square = f.multiply(gamma, gamma)
            let four = f.add(f.add(square, square), f.add(square, square))
            let newY = f.subtract(f.multiply(alpha, f.subtract(beta4, newX)), f.add(four, four))
            return Point(x: newX, y: newY, z: newZ)
        }

        /// The sum of two points (Explicit-Formulas Database, add-1998-cmo-2).
        func plus(_ other: Point) -> Point {
            if z.isZero { return other }
            if other.z.isZero { return self }
            let f = prime
            let zz = f.multiply(z, z)
            let otherZz = f.multiply(other.z, other.z)
            let u = f.multiply(x, otherZz)
            let s = f.multiply(y, f.multiply(otherZz, other.z))
            let h = f.subtract(f.multiply(other.x, zz), u)
            let r = f.subtract(f.multiply(other.y, f.multiply(zz, z)), s)
            if h.isZero { return r.isZero ? doubled() : .infinity }
            let hh = f.multiply(h, h)
            let hhh = f.multiply(hh, h)
            let v = f.multiply(u, hh)
            let newX = f.subtract(f.subtract(f.multiply(r, r), hhh), f.add(v, v))
            let newY = f.subtract(f.multiply(r, f.subtract(v, newX)), f.multiply(s, hhh))
            return Point(x: newX, y: newY, z: f.multiply(f.multiply(z, other.z), h))
        }
    }

    /// a * p + b * q, both doubled together.
    private func sum(_ a: Number, _ p: Point, _ b: Number, _ q: Point) -> Point {
        let both = p.plus(q)
        var result = Point.infinity
        for place in (0..<256).reversed() {
            result = result.doubled()
            switch (a.bit(place), b.bit(place)) {
            case (true, true): result = result.plus(both)
            case (true, false): result = result.plus(p)
            case (false, true): result = result.plus(q)
            case (false, false): break
            }
        }
        return result
    }
#endif
