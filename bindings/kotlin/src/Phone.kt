package handfast.example

import handfast.ContentHasher
import handfast.Input
import handfast.Machine
import handfast.Message
import handfast.Output
import handfast.Refusal
import handfast.StopReason
import handfast.Stream
import handfast.peerKeys
import handfast.randomBytes
import handfast.rowDigest
import java.nio.file.Path
import java.util.concurrent.LinkedBlockingQueue
import java.util.concurrent.TimeUnit

/**
 * A phone: one thread with all machines and the store, and a queue of what happens.
 *
 * [command] runs a command and returns its answer. What it writes to the store is durable together with the answer, and it runs
 * exactly once. [show] is told what is for the user, once everything before it is durable.
 */
class Phone(dir: Path, private val command: (Store, ByteArray) -> ByteArray, private val show: (Output) -> Unit) {
    private val store = Store(dir)
    private val files = Files(dir, store)
    private val inputs = LinkedBlockingQueue<() -> Unit>()
    private val ports = LinkedHashMap<String, Port>()
    private var pairing: Port? = null
    private val todo = ArrayDeque<Pair<Port, Output>>()
    private val commits = ArrayList<Pair<Port, ULong>>()

    /** What is to be done once everything before it is durable. */
    private val effects = ArrayDeque<() -> Unit>()
    private var told: ULong? = null
    private var isOpen = true

    /** Runs the phone in this thread until [close]. */
    fun run() {
        loadLinks()
        settle()
        while (isOpen) {
            val wakeAt = all().mapNotNull { it.wakeAt }.minOrNull()
            val wait = wakeAt?.let { maxOf(0, it - nowMs()) } ?: Long.MAX_VALUE
            val input = inputs.poll(wait, TimeUnit.MILLISECONDS)
            if (input != null) input() else all().filter { (it.wakeAt ?: Long.MAX_VALUE) <= nowMs() }.forEach(::wake)
            settle()
        }
        all().forEach(Port::end)
    }

    /** Does `work` in the thread of the phone, in a transaction of its own. Any thread may call this. */
    fun post(work: (Store) -> Unit) {
        inputs.put { work(store) }
    }

    fun close() = post { isOpen = false }

    /** Begins to pair with the companion that shows this code. */
    fun pair(code: String) = post {
        val keys = store.valuesWith("used ").map { it.removePrefix("used ").unhex() }
        pairing = Port(Machine.scanCode(code, keys, now()), "", ::tell).also { step(it, Input.Timer) }
    }

    fun enterCheckCode(digits: String) = post { pairing?.let { step(it, Input.EnterCheckCode(digits)) } }

    fun approve(accountName: String, grants: ULong) = post {
        val (account, serial) = store.value("account") { randomBytes(32u) } to store.nextNumber("serial")
        pairing?.let { step(it, Input.Approve(account, accountName, randomBytes(16u), serial, grants)) }
    }

    fun refuse() = post { pairing?.let { step(it, Input.Refuse) } }

    /** Copies a file into the phone's directory, where companions can fetch it, and tells its content id. */
    fun addFile(path: Path, then: (Store, ByteArray) -> Unit) = post { then(store, files.add(path)) }

    /** Returns the path of content that is whole. */
    fun path(content: ByteArray): Path = files.path(content)

    private fun all(): List<Port> = ports.values + listOfNotNull(pairing)

    private fun tell(port: Port, input: Input) = inputs.put { if (!port.isOver) step(port, input) }

    private fun wake(port: Port) {
        port.wakeAt = null
        step(port, Input.Timer)
    }

    private fun step(port: Port, input: Input) {
        port.machine.step(now(), input).forEach { todo.addLast(port to it) }
    }

    /** Carries out all outputs in one transaction, reports its commits, and goes on until nothing is left. */
    private fun settle() {
        do {
            while (todo.isNotEmpty()) todo.removeFirst().let { (port, output) -> if (!port.isOver) carryOut(port, output) }
            store.commit()
            val reported = commits.toList().also { commits.clear() }
            reported.filter { (port, _) -> !port.isOver }.forEach { (port, id) -> step(port, Input.Committed(id)) }
            if (todo.isEmpty()) serve()
        } while (todo.isNotEmpty())
        while (effects.isNotEmpty()) effects.removeFirst()()
    }

    private fun loadLinks() {
        for ((link, rows) in store.links()) {
            if (link in ports) continue
            peerKeys(rows, true).forEach { store.setValue("used " + it.hex(), ByteArray(0)) }
            val log = store.value("log") { randomBytes(16u) }
            val since = store.number("since $link").takeIf { it > 0UL } ?: System.currentTimeMillis().toULong()
            store.setNumber("since $link", since)
            // The clock of the wall may have been set back.
            val age = maxOf(0, System.currentTimeMillis() - since.toLong()).toULong()
            val port = Port(Machine.loadPhone(rows, log, now(), age), link, ::tell)
            ports[link] = port
            told = null
            port.machine.streams().forEach { resume(port, it) }
            step(port, Input.Timer)
        }
    }

    private fun carryOut(port: Port, output: Output) {
        when (output) {
            is Output.Persist -> persist(port, output.commit)
            is Output.StreamOpened -> persist(port, output.commit)
            is Output.Deliver -> {
                persist(port, output.commit)
                deliver(port, output.message)
            }
            is Output.Connect -> effects.addLast { port.connect(output.url) }
            is Output.Disconnect -> effects.addLast(port::disconnect)
            is Output.Transmit -> effects.addLast { port.send(output.bytes) }
            is Output.SetTimer -> port.wakeAt = output.atMs?.toLong()
            is Output.DeltaWanted, is Output.PageWanted, is Output.DigestWanted -> port.wanted = output
            is Output.WriteContent, is Output.SyncContent, is Output.ReadContent, is Output.StreamEnded ->
                carryOutOfContent(port, output)
            else -> said(port, output)
        }
    }

    private fun persist(port: Port, commit: handfast.Commit) {
        store.apply(commit)
        commits.add(port to commit.id)
    }

    private fun deliver(port: Port, message: Message) {
        when (message) {
            is Message.Command -> step(port, Input.Answer(message.key, command(store, message.body)))
            is Message.Opened -> opened(port, message.stream)
            else -> {}
        }
    }

    private fun said(port: Port, output: Output) {
        if (port === pairing && (output is Output.Linked || output is Output.PairingEnded)) {
            pairing = null
            effects.addLast(port::end)
            loadLinks()
        } else if (output is Output.Revoked || output is Output.Lapsed) {
            ports.remove(port.link)
            effects.addLast(port::end)
        }
        effects.addLast { show(output) }
    }

    /** Answers the companions from what is durable. */
    private fun serve() {
        val newest = store.number("newest")
        if (newest != told) {
            told = newest
            ports.values.forEach { step(it, Input.SetLogHead(newest)) }
        }
        for (port in ports.values) {
            val wanted = port.wanted ?: continue
            port.wanted = null
            // A connection that has ended meanwhile wants nothing more, and refuses the answer.
            try { step(port, answer(wanted, newest)) } catch (_: Refusal) {}
        }
    }

    private fun answer(wanted: Output, newest: ULong): Input {
        fun rows(collection: ByteArray) = store.rows[collection.hex()]?.values.orEmpty()
        return when (wanted) {
            is Output.DeltaWanted -> {
                val rows = rows(wanted.collection).filter { it.revision > wanted.after }.sortedBy { it.revision }
                Input.ProvideDelta(wanted.collection, rows, true, wanted.budget, maxOf(newest, wanted.after))
            }
            is Output.PageWanted -> {
                val after = wanted.after?.hex() ?: ""
                val rows = rows(wanted.collection).filter { it.body.isNotEmpty() && it.id.hex() > after }
                Input.ProvidePage(wanted.collection, rows, true, wanted.budget, wanted.revision ?: newest)
            }
            is Output.DigestWanted -> {
                val rows = rows(wanted.collection).filter { it.body.isNotEmpty() }
                Input.ProvideDigest(wanted.collection, rowDigest(rows), newest)
            }
            else -> error("nothing of a companion")
        }
    }

    private fun opened(port: Port, stream: Stream) {
        val content = stream.content
        val known = content?.let { store.contents[it.hex()] }
        port.streams[stream.id] = stream
        step(port, when {
            content == null -> Input.StopStream(stream.id, StopReason.FAILED)
            !stream.isIncoming && known?.isWhole == true -> Input.ServeContent(stream.id, known.list)
            !stream.isIncoming -> Input.StopStream(stream.id, StopReason.GONE)
            known?.isWhole == true -> Input.HaveContent(stream.id)
            isComing(content, stream) -> Input.StopStream(stream.id, StopReason.BUSY)
            else -> Input.AcceptContent(stream.id)
        })
    }

    private fun isComing(content: ByteArray, but: Stream) = ports.values.flatMap { it.streams.values }
        .any { it !== but && it.isIncoming && it.content.contentEquals(content) }

    private fun resume(port: Port, stream: Stream) {
        if (!stream.hasBegun && stream.isIncoming) return opened(port, stream)
        port.streams[stream.id] = stream
        step(port, Input.ContinueStream(stream.id, stream.content?.let { store.contents[it.hex()]?.list }))
    }

    private fun carryOutOfContent(port: Port, output: Output) {
        when (output) {
            is Output.WriteContent -> port.streams[output.stream]?.content?.let { files.write(it, output.at.toLong(), output.bytes) }
            is Output.ReadContent -> port.streams[output.stream]?.content?.let {
                step(port, Input.SupplyContent(output.stream, files.read(it, output.at.toLong(), output.len.toInt())))
            }
            is Output.SyncContent -> port.streams[output.stream]?.content?.let { synced(port, output, it) }
            is Output.StreamEnded -> port.streams.remove(output.stream)?.let {
                if (it.isIncoming) it.content?.let(files::drop)
            }
            else -> {}
        }
    }

    private fun synced(port: Port, output: Output.SyncContent, content: ByteArray) {
        files.sync(content, output.size.toLong(), output.list, output.isWhole)
        step(port, Input.ContentSynced(output.stream))
        if (!output.isWhole) return
        port.streams.remove(output.stream)
        effects.addLast {
            files.publish(content)
            show(output)
            println("a file came: ${files.path(content)}")
        }
    }

    private fun nowMs(): Long = System.nanoTime() / 1_000_000 - START_MS

    private fun now(): ULong = nowMs().toULong()

    private companion object {
        /** The clock of the JVM may begin below 0. */
        val START_MS = System.nanoTime() / 1_000_000
    }
}
