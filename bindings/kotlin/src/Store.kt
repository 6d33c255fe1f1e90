package handfast.example

import handfast.Commit
import handfast.LinkRow
import handfast.Row
import handfast.Write
import java.io.ByteArrayInputStream
import java.io.ByteArrayOutputStream
import java.io.DataInputStream
import java.io.DataOutputStream
import java.nio.ByteBuffer
import java.nio.channels.FileChannel
import java.nio.file.Files
import java.nio.file.Path
import java.nio.file.StandardCopyOption.ATOMIC_MOVE
import java.nio.file.StandardOpenOption.CREATE
import java.nio.file.StandardOpenOption.READ
import java.nio.file.StandardOpenOption.TRUNCATE_EXISTING
import java.nio.file.StandardOpenOption.WRITE
import java.util.TreeMap

/** Bytes as text, in whose order bytes are ordered. */
fun ByteArray.hex(): String = joinToString("") { "%02x".format(it) }

fun String.unhex(): ByteArray = chunked(2).map { it.toInt(16).toByte() }.toByteArray()

/** Content of which at least the chunk list is here. */
class Content(val list: ByteArray, val isWhole: Boolean)

/**
 * The simplest store that is durable: all of it in memory, and in one file that each transaction replaces by a new one. It is for an
 * example; an application has a database, in whose transaction it writes the same.
 */
class Store(private val dir: Path) {
    /** By link and key. */
    private val links = TreeMap<String, TreeMap<String, ByteArray>>()
    private val values = TreeMap<String, ByteArray>()
    val rows = TreeMap<String, TreeMap<String, Row>>()
    val contents = TreeMap<String, Content>()
    private var isChanged = false

    init {
        Files.createDirectories(dir)
        val lock = FileChannel.open(dir.resolve("lock"), CREATE, WRITE)
        check(lock.tryLock() != null) { "$dir is in use by another process" }
        val file = dir.resolve("store")
        if (Files.exists(file)) read(DataInputStream(ByteArrayInputStream(Files.readAllBytes(file))))
    }

    /** Applies a commit of a machine. It is durable after `commit`. */
    fun apply(commit: Commit) {
        val link = links.getOrPut(commit.link.hex()) { TreeMap() }
        val found = link[commit.versionKey.hex()]
        check(found.contentEquals(commit.expects)) { "another program uses the store, or it is an older copy" }
        for (write in commit.writes) {
            when (write) {
                is Write.Put -> link[write.key.hex()] = write.value
                is Write.Delete -> link.remove(write.key.hex())
                is Write.DeleteRange -> link.subMap(write.first.hex(), write.end.hex()).clear()
            }
        }
        isChanged = true
    }

    /** The rows of each link. Of a link that is gone only its version is left, and it is left out. */
    fun links(): Map<String, List<LinkRow>> =
        links.filterValues { it.size > 1 }
            .mapValues { (_, rows) -> rows.map { (key, value) -> LinkRow(key.unhex(), value) } }

    fun value(name: String): ByteArray? = values[name]

    fun setValue(name: String, value: ByteArray) {
        values[name] = value
        isChanged = true
    }

    /** Returns a value by its name, which is made the first time. */
    fun value(name: String, make: () -> ByteArray): ByteArray = values[name] ?: make().also { setValue(name, it) }

    fun number(name: String): ULong = values[name]?.let { ByteBuffer.wrap(it).getLong().toULong() } ?: 0UL

    fun setNumber(name: String, number: ULong) =
        setValue(name, ByteBuffer.allocate(8).putLong(number.toLong()).array())

    fun nextNumber(name: String): ULong = (number(name) + 1UL).also { setNumber(name, it) }

    fun valuesWith(prefix: String): List<String> = values.keys.filter { it.startsWith(prefix) }

    /** Writes a row, which every companion gets. */
    fun putRow(collection: ByteArray, id: ByteArray, body: ByteArray) {
        val row = Row(id, nextNumber("newest"), body)
        rows.getOrPut(collection.hex()) { TreeMap() }[id.hex()] = row
    }

    fun setContent(content: ByteArray, list: ByteArray, isWhole: Boolean) {
        contents[content.hex()] = Content(list, isWhole)
        isChanged = true
    }

    fun dropContent(content: ByteArray) {
        if (contents[content.hex()]?.isWhole == false) contents.remove(content.hex())
        isChanged = true
    }

    /** Makes everything durable that was written. */
    fun commit() {
        if (!isChanged) return
        val bytes = ByteArrayOutputStream().also { write(DataOutputStream(it)) }.toByteArray()
        val beside = dir.resolve("store.new")
        FileChannel.open(beside, CREATE, WRITE, TRUNCATE_EXISTING).use { file ->
            val buffer = ByteBuffer.wrap(bytes)
            while (buffer.hasRemaining()) file.write(buffer)
            file.force(true)
        }
        Files.move(beside, dir.resolve("store"), ATOMIC_MOVE)
        FileChannel.open(dir, READ).use { it.force(true) }
        isChanged = false
    }

    private fun write(out: DataOutputStream) {
        fun bytes(bytes: ByteArray) {
            out.writeInt(bytes.size)
            out.write(bytes)
        }
        fun <T> map(map: Map<String, T>, each: (T) -> Unit) {
            out.writeInt(map.size)
            for ((key, value) in map) {
                out.writeUTF(key)
                each(value)
            }
        }
        map(links) { map(it, ::bytes) }
        map(values, ::bytes)
        map(rows) { rows ->
            map(rows) { row ->
                out.writeLong(row.revision.toLong())
                bytes(row.body)
            }
        }
        map(contents) { content ->
            out.writeBoolean(content.isWhole)
            bytes(content.list)
        }
    }

    private fun read(from: DataInputStream) {
        fun bytes() = ByteArray(from.readInt()).also { from.readFully(it) }
        fun <T> map(into: MutableMap<String, T>, each: (String) -> T) =
            repeat(from.readInt()) { from.readUTF().let { key -> into[key] = each(key) } }
        map(links) { TreeMap<String, ByteArray>().also { map(it) { bytes() } } }
        map(values) { bytes() }
        map(rows) {
            TreeMap<String, Row>().also { map(it) { id -> Row(id.unhex(), from.readLong().toULong(), bytes()) } }
        }
        map(contents) { from.readBoolean().let { isWhole -> Content(bytes(), isWhole) } }
    }
}
