package handfast.example

import handfast.Input
import handfast.Machine
import handfast.Output
import handfast.Stream
import java.net.URI
import java.net.http.HttpClient
import java.net.http.WebSocket
import java.nio.ByteBuffer
import java.util.concurrent.CompletableFuture
import java.util.concurrent.CompletionStage

/** One machine with its socket, and the time at which it wants to be woken. Everything is told to `tell`, which may be called by any thread. */
class Port(val machine: Machine, val link: String, private val tell: (Port, Input) -> Unit) {
    var wakeAt: Long? = null
    var isOver = false

    /** The question of a companion that is to be answered next. */
    var wanted: Output? = null
    val streams = HashMap<ULong, Stream>()
    private var socket: Socket? = null

    fun connect(url: String) {
        socket = Socket(url)
    }

    fun send(bytes: ByteArray) {
        socket?.send(bytes)
    }

    fun disconnect() {
        socket?.close()
        socket = null
    }

    fun end() {
        isOver = true
        wakeAt = null
        disconnect()
    }

    /** One WebSocket. What it has to say after `close` is for nobody. */
    private inner class Socket(url: String) : WebSocket.Listener {
        @Volatile private var isClosed = false
        private var message = ByteArray(0)

        /** What was sent last, after which the next can be. */
        private var sent: CompletableFuture<WebSocket> =
            http.newWebSocketBuilder().buildAsync(URI.create(url), this)

        init {
            sent.whenComplete { _, failure -> if (failure != null) lost() }
        }

        fun send(bytes: ByteArray) {
            sent = sent.thenCompose { it.sendBinary(ByteBuffer.wrap(bytes), true) }
            sent.whenComplete { _, failure ->
                if (failure == null) say(Input.Transmitted(bytes.size.toULong())) else lost()
            }
        }

        fun close() {
            isClosed = true
            sent.thenCompose { it.sendClose(WebSocket.NORMAL_CLOSURE, "") }
        }

        private fun say(input: Input) {
            if (!isClosed) tell(this@Port, input)
        }

        @Synchronized
        private fun lost() {
            say(Input.SocketClosed)
            isClosed = true
        }

        override fun onOpen(socket: WebSocket) {
            say(Input.SocketOpened)
            socket.request(1)
        }

        override fun onBinary(socket: WebSocket, data: ByteBuffer, last: Boolean): CompletionStage<*>? {
            message += ByteArray(data.remaining()).also { data.get(it) }
            if (last) {
                say(Input.Received(message))
                message = ByteArray(0)
            }
            socket.request(1)
            return null
        }

        override fun onClose(socket: WebSocket, code: Int, reason: String): CompletionStage<*>? {
            lost()
            return null
        }

        override fun onError(socket: WebSocket, error: Throwable) = lost()
    }

    private companion object {
        val http: HttpClient = HttpClient.newHttpClient()
    }
}
