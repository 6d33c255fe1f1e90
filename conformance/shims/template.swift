// A shim to fill in: it answers `hello` and `kk.head`; SHIMS.md has the protocol.
//
//     swiftc template.swift -o shim
//     handfast-conformance run --shim ./shim --case '*heads*'

import Foundation

/// An error of the specification.
struct Refused: Error {
    let area: String
    let code: String
}

func unhex(_ text: String) -> [UInt8] {
    let digits = Array(text)
    return stride(from: 0, to: digits.count - 1, by: 2).compactMap { UInt8(String(digits[$0...$0 + 1]), radix: 16) }
}

func hex<Bytes: Sequence>(_ bytes: Bytes) -> String where Bytes.Element == UInt8 {
    bytes.map { String(format: "%02x", $0) }.joined()
}

/// The clear head of a reconnect's message 1 (HSK-078). Replace this by a call of your code.
func kkHead(_ given: [String: Any]) throws -> [String: Any] {
    let message = unhex(given["message"] as? String ?? "")
    if message.count < 10 { throw Refused(area: "framing", code: "TRUNCATED") }
    if message[0] != 1 || message[1] > 1 { throw Refused(area: "framing", code: "FIELD_VALUE") }
    let mode = message[1] == 1 ? "recover" : "resume"
    return ["mode": mode, "psk_id": hex(message[2..<10]), "noise": hex(message[10...])]
}

// Add the next operation here. A name that is missing is answered as unsupported.
let ops: [String: ([String: Any]) throws -> [String: Any]] = ["kk.head": kkHead]
let hello: [String: Any] = [
    "ok": true, "proto": 1, "spec": "1", "name": "template", "version": "0", "roles": ["phone", "web"],
]

func answer(_ op: String, _ given: [String: Any]) throws -> [String: Any] {
    if op == "hello" { return hello }
    guard let run = ops[op] else { return ["unsupported": op] }
    do {
        return ["ok": true, "out": try run(given)]
    } catch let refused as Refused {
        return ["ok": false, "area": refused.area, "code": refused.code]
    }
}

while let line = readLine() {
    guard let request = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any],
          let id = request["id"], let op = request["op"] as? String
    else { fatalError("this is no request: \(line)") }
    var told = try answer(op, request["in"] as? [String: Any] ?? [:])
    told["id"] = id
    FileHandle.standardOutput.write(try JSONSerialization.data(withJSONObject: told) + Data("\n".utf8))
}
