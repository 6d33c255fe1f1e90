/**
 * A phone with a shopping list, in Kotlin. A companion adds to the list, and so does the phone's user.
 *
 *     Main DIR CODE     links the companion that shows the code
 *     Main DIR          goes on with the companions that are linked
 *     Main DIR [CODE] --answer HEX     answers each command by these bytes, for a companion of another application
 *
 * A line `file PATH` shows a file to the companions.
 */
package handfast.example

import handfast.Output
import java.nio.ByteBuffer
import java.nio.file.Path
import kotlin.concurrent.thread
import kotlin.system.exitProcess

private const val ASK = "Anything to add? An empty line ends."

private fun add(store: Store, item: ByteArray) {
    val id = ByteBuffer.allocate(8).putLong(store.number("newest").toLong() + 1).array()
    store.putRow("list".toByteArray(), id, item)
    println("on the list: ${String(item)}")
}

/** What a companion may do: see the list and add to it, which are the reading and sending of the messenger, too. */
private const val GRANTS = 3uL

/** What the next line of the user answers. */
private enum class Asked { CHECK_CODE, APPROVAL, NOTHING, ITEM }

private class User(dir: Path, code: String?, private val answer: ByteArray) {
    @Volatile private var asked = if (code == null) Asked.ITEM else Asked.NOTHING
    private val phone = Phone(dir, ::command, ::show)

    init {
        if (code != null) phone.pair(code) else println(ASK)
        thread(isDaemon = true) {
            generateSequence(::readLine).forEach(::typed)
            phone.close()
        }
        phone.run()
    }

    /** Runs exactly once for each command, whatever is lost or killed on the way. */
    private fun command(store: Store, item: ByteArray): ByteArray {
        add(store, item)
        return answer
    }

    private fun ask(what: Asked, question: String) {
        asked = what
        println(question)
    }

    private fun show(output: Output) {
        when (output) {
            is Output.CheckCodeWanted -> ask(Asked.CHECK_CODE, "The four digits that the companion shows?")
            is Output.WrongCheckCode -> if (output.triesLeft > 0u) ask(Asked.CHECK_CODE, "Wrong. The four digits again?")
            is Output.ApprovalWanted -> ask(Asked.APPROVAL, "Link \"${output.label}\"? yes or no")
            is Output.ShowNumber -> println("Type there: ${output.digits}")
            is Output.Linked -> println("Linked").also { ask(Asked.ITEM, ASK) }
            is Output.PairingEnded -> println("Not linked: ${output.code}").also { ask(Asked.ITEM, ASK) }
            else -> {}
        }
    }

    private fun typed(line: String) {
        when (asked) {
            Asked.CHECK_CODE -> phone.enterCheckCode(line)
            Asked.APPROVAL -> if (line == "yes") phone.approve("Shopping", GRANTS) else phone.refuse()
            Asked.ITEM -> item(line)
            Asked.NOTHING -> {}
        }
    }

    private fun item(line: String) {
        if (line.isEmpty()) return phone.close()
        if (line.startsWith("file ")) {
            val path = Path.of(line.removePrefix("file "))
            phone.addFile(path) { store, content ->
                store.putRow("files".toByteArray(), content, path.fileName.toString().toByteArray())
            }
        } else {
            phone.post { add(it, line.toByteArray()) }
        }
        println(ASK)
    }
}

fun main(words: Array<String>) {
    val (places, option) = words.asList().let { it.takeWhile { word -> word != "--answer" } to it.dropWhile { word -> word != "--answer" } }
    if (places.size !in 1..2 || option.size !in setOf(0, 2)) {
        System.err.println("usage: Main DIR [CODE] [--answer HEX]")
        exitProcess(2)
    }
    User(Path.of(places[0]), places.getOrNull(1), option.getOrNull(1)?.unhex() ?: "added".toByteArray())
    // The threads of the sockets do not end by themselves.
    exitProcess(0)
}
