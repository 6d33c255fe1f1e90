package handfast.example

import handfast.ContentHasher
import java.io.RandomAccessFile
import java.nio.file.Path
import java.nio.file.StandardCopyOption.ATOMIC_MOVE

/** The content of a phone, each a file by its content id. One gets its final name once the store says that it is whole. */
class Files(dir: Path, private val store: Store) {
    private val dir = dir.resolve("content")

    init {
        java.nio.file.Files.createDirectories(this.dir)
        store.contents.filterValues { it.isWhole }.keys.forEach { publish(it.unhex()) }
    }

    fun path(content: ByteArray): Path = dir.resolve(content.hex())

    private fun part(content: ByteArray): Path = dir.resolve(content.hex() + ".part")

    /** Copies a file, in the open transaction, and returns its content id. */
    fun add(from: Path): ByteArray {
        val (hasher, copy) = ContentHasher() to dir.resolve("copy.part")
        java.nio.file.Files.newInputStream(from).use { input ->
            RandomAccessFile(copy.toFile(), "rw").use { output ->
                output.setLength(0)
                generateSequence { input.readNBytes(COPY_LEN).takeIf { it.isNotEmpty() } }.forEach {
                    hasher.update(it)
                    output.write(it)
                }
                output.fd.sync()
            }
        }
        val hashed = hasher.finish()
        java.nio.file.Files.move(copy, path(hashed.content), ATOMIC_MOVE)
        store.setContent(hashed.content, hashed.list, true)
        return hashed.content
    }

    fun write(content: ByteArray, at: Long, bytes: ByteArray) = open(content) {
        it.seek(at)
        it.write(bytes)
    }

    /** Makes durable what was written; the chunk list goes into the open transaction. */
    fun sync(content: ByteArray, size: Long, list: ByteArray?, isWhole: Boolean) {
        open(content) {
            // A run that ended before its report was durable may have written more.
            if (isWhole) it.setLength(size)
            it.fd.sync()
        }
        val known = list ?: store.contents[content.hex()]?.list
        if (known != null) store.setContent(content, known, isWhole)
    }

    fun read(content: ByteArray, at: Long, len: Int): ByteArray = RandomAccessFile(path(content).toFile(), "r").use {
        it.seek(at)
        ByteArray(minOf(len.toLong(), it.length() - at).toInt()).also(it::readFully)
    }

    /** Moves content that is whole, as the store says, to its final name. */
    fun publish(content: ByteArray) {
        if (java.nio.file.Files.exists(part(content))) java.nio.file.Files.move(part(content), path(content), ATOMIC_MOVE)
    }

    /** Removes what came of content that will not come. */
    fun drop(content: ByteArray) {
        store.dropContent(content)
        java.nio.file.Files.deleteIfExists(part(content))
    }

    private fun open(content: ByteArray, use: (RandomAccessFile) -> Unit) =
        RandomAccessFile(part(content).toFile(), "rw").use(use)

    private companion object {
        const val COPY_LEN = 1 shl 20
    }
}
