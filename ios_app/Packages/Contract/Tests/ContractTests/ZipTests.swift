import Foundation
import Testing

@testable import Contract

@Suite struct ZipTests {
    @Test func theChecksumIsThatOfZipFiles() {
        // The check value of CRC-32/ISO-HDLC (RevEng's catalogue).
        var sum = Crc32()
        Array("123456789".utf8).withUnsafeBytes { sum.update($0) }
        #expect(sum.value == 0xcbf4_3926)
    }

    @Test func hashesAreThoseOfTheStandardWhateverThePieces() {
        // FIPS 180-4's examples.
        #expect(sha256(Array("abc".utf8)) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        #expect(sha256([]) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
        var generator = Generator(1)
        for count in [0, 1, 55, 56, 63, 64, 65, 119, 120, 1000] {
            let bytes = generator.bytes(count)
            var hash = Sha256()
            var at = 0
            while at < count {
                let step = min(1 + generator.below(70), count - at)
                bytes[at..<at + step].withUnsafeBytes { hash.update($0) }
                at += step
            }
            #expect(hexadecimal(hash.finished()) == sha256(bytes))
        }
    }
}
