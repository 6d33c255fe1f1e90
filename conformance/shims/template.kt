// A shim to fill in: it answers `hello` and `kk.head`; SHIMS.md has the protocol.
//
//     kotlinc template.kt -include-runtime -d shim.jar
//     handfast-conformance run --shim 'java -jar shim.jar' --case '*heads*'
//
// Kotlin's own library has no JSON: the first field of a name is taken, which is enough for this operation; the runner
// writes `id` first. Take the library of your project for the next ones.

/** An error of the specification. */
class Refused(val area: String, val code: String) : Exception(code)

fun text(line: String, name: String): String =
    Regex("\"$name\":\"([^\"]*)\"").find(line)?.groupValues?.get(1) ?: ""

/** The clear head of a reconnect's message 1 (HSK-078). Replace this by a call of your code. */
fun kkHead(line: String): String {
    val message = text(line, "message").chunked(2).map { it.toInt(16) }
    if (message.size < 10) throw Refused("framing", "TRUNCATED")
    val (suite, mode) = message
    if (suite != 1 || mode > 1) throw Refused("framing", "FIELD_VALUE")
    val hex = { bytes: List<Int> -> bytes.joinToString("") { "%02x".format(it) } }
    val name = if (mode == 1) "recover" else "resume"
    return """{"mode":"$name","psk_id":"${hex(message.subList(2, 10))}","noise":"${hex(message.drop(10))}"}"""
}

// Add the next operation here. A name that is missing is answered as unsupported.
val OPS: Map<String, (String) -> String> = mapOf("kk.head" to ::kkHead)
const val HELLO = """"ok":true,"proto":1,"spec":"1","name":"template","version":"0","roles":["phone","web"]"""

fun answer(op: String, line: String): String {
    if (op == "hello") return HELLO
    val run = OPS[op] ?: return "\"unsupported\":\"$op\""
    return try {
        "\"ok\":true,\"out\":${run(line)}"
    } catch (refused: Refused) {
        "\"ok\":false,\"area\":\"${refused.area}\",\"code\":\"${refused.code}\""
    }
}

fun main() {
    for (line in generateSequence(::readLine)) {
        val id = Regex("\"id\":([0-9]+)").find(line)?.groupValues?.get(1) ?: "null"
        println("{\"id\":$id,${answer(text(line, "op"), line)}}")
        System.out.flush()
    }
}
