-- What one message of a capture means for those after it: who sits on which side of a TCP connection, which handshake
-- the records belong to, and their counters and keys.

local connections = {}

local wire, decode, aead
local streams = {}

-- How many records may be missing before one that still opens.
local SKIPPED_MAX = 32
-- How many messages 1 are remembered, of which a later message 2 answers one.
local MESSAGES_1_MAX = 16
-- A key log longer than this is not read, in bytes.
local KEY_LOG_LEN_MAX = 67108864
local EPHEMERAL_LEN, TAG_LEN, HEAD_LEN = 32, 16, 10
local KIND_PAIRING, KIND_KK1, KIND_KK2, KIND_RECORD = 1, 3, 5, 7

-- The key log ---------------------------------------------------------------------------------------------------------

local key_log = {}

local function unhex(text)
    return (text:gsub("%x%x", function(digits) return string.char(tonumber(digits, 16)) end))
end

-- Reads the file again. README.md describes its lines.
local function read_key_log(path)
    local log = { path = path, keys = {}, malformed = 0, len = 0 }
    local file = path ~= "" and io.open(path, "rb")
    if not file then
        log.reason = path == "" and "no key log is set (preference handfast.key_log)" or "the key log cannot be read"
        return log
    end
    local text = file:read(KEY_LOG_LEN_MAX) or ""
    file:close()
    log.len = #text
    for line in text:gmatch("[^\r\n]+") do
        local label, id, key = line:match("^HANDFAST_(%u+)_KEY (%x+) (%x+)$")
        if (label == "INITIATOR" or label == "RESPONDER") and #id == 128 and #key == 64 then
            log.keys[label .. unhex(id)] = unhex(key)
        elseif line:sub(1, 1) ~= "#" then
            log.malformed = log.malformed + 1
        end
    end
    return log
end

local function len_of(path)
    local file = path ~= "" and io.open(path, "rb")
    if not file then return 0 end
    local len = file:seek("end")
    file:close()
    return len
end

-- Returns a key, or nil and why there is none. A file that has grown meanwhile is read again.
local function find_key(path, label, id)
    if key_log.path ~= path then key_log = read_key_log(path) end
    local key = key_log.keys[label .. id]
    if not key and len_of(path) ~= key_log.len then
        key_log = read_key_log(path)
        key = key_log.keys[label .. id]
    end
    if key then return key end
    local malformed = key_log.malformed > 0 and (" (%d of its lines are malformed)"):format(key_log.malformed) or ""
    return nil, key_log.reason or "the key log has no key of this connection" .. malformed
end

-- Connections ---------------------------------------------------------------------------------------------------------

-- A connection of devices, from message 2 of its handshake on. `ids` has each message 1 that message 2 may answer.
local function new_connection(is_pairing, initiator, messages_1, ephemeral_2)
    local ids = {}
    for i = #messages_1, 1, -1 do table.insert(ids, messages_1[i] .. ephemeral_2) end
    return { is_pairing = is_pairing, initiator = initiator, ids = ids, next = { web = 0, phone = 0 }, parts = {} }
end

local function key_of(connection, sender, path)
    local label, reason = sender == connection.initiator and "INITIATOR" or "RESPONDER", nil
    for _, id in ipairs(connection.ids) do
        local key
        key, reason = find_key(path, label, id)
        if key then return key, id end
    end
    return nil, nil, reason
end

-- Which layout a plaintext has. In the first records of a reconnect that says *pending*, which only its handshake's
-- payload tells, link records come; no frame of theirs is accepted as one of an ordinary record.
local function layout_of(connection, sender, plaintext, counter)
    if connection.is_pairing then return "LinkRecord" end
    local _, fault = decode.read(wire, "Record", sender, plaintext)
    if fault and counter == 0 and not select(2, decode.read(wire, "LinkRecord", sender, plaintext)) then
        return "LinkRecord"
    end
    return "Record"
end

-- Keeps the parts of messages, and returns those messages whose last part is in this record, by sequence number.
local function join_parts(connection, sender, plaintext)
    local whole
    for _, frame in ipairs(decode.read(wire, "Record", sender, plaintext).children) do
        -- One that is refused has no body.
        local body = frame.name == "MSG" and decode.find(frame, "body")
        if body then
            local seq, part = decode.find(frame, "seq").value, decode.find(frame, "part").value
            local last = decode.find(frame, "last").value
            local key = sender .. seq
            if part == 0 then connection.parts[key] = {} end
            local parts = connection.parts[key]
            if parts and #parts == part then
                table.insert(parts, body.value)
                if part == last then
                    whole = whole or {}
                    whole[seq] = table.concat(parts)
                    connection.parts[key] = nil
                end
            end
        end
    end
    return whole
end

-- Tries to open a record, and fills in what is known of it.
local function open(seen, path)
    local connection, sender = seen.connection, seen.from
    local key, id, reason = key_of(connection, sender, path)
    seen.id, seen.reason = id or connection.ids[1], reason
    if not key then return end
    for counter = seen.expected, seen.expected + SKIPPED_MAX do
        local plaintext = aead.open(key, aead.nonce(counter), seen.ciphertext)
        if plaintext then
            seen.plaintext, seen.counter, seen.skipped = plaintext, counter, counter - seen.expected
            seen.layout = layout_of(connection, sender, plaintext, counter)
            connection.next[sender] = math.max(connection.next[sender], counter + 1)
            if seen.layout == "Record" then seen.messages = join_parts(connection, sender, plaintext) end
            seen.ciphertext, seen.reason = nil, nil
            return
        end
    end
    seen.reason, seen.is_fault = "the tag is not that of the key in the key log", true
end

-- One TCP connection between a client and the relay ------------------------------------------------------------------

local Stream = {}
Stream.__index = Stream

local OTHER = { web = "phone", phone = "web" }

-- Returns which device a frame comes from; nil if the capture does not tell.
function Stream:sender(frame, from_client)
    if not frame then return nil end
    if frame.name == "ATTACH" then
        local role = decode.find(frame, "role")
        if role then self.role = wire.names.role[role.value] end
    elseif frame.name == "DATA" and not self.role then
        -- A companion alone sends message 1 of a reconnect.
        local kind = decode.find(frame, "kind")
        if kind and kind.value == KIND_KK1 then self.role = from_client and "web" or "phone" end
        if kind and kind.value == KIND_KK2 then self.role = from_client and "phone" or "web" end
    end
    if from_client then return self.role end
    return frame.name == "DATA" and self.role and OTHER[self.role] or frame.name ~= "DATA" and "relay" or nil
end

-- Keeps the ephemeral key of a message 1.
function Stream:message_1(ephemeral)
    table.insert(self.messages_1, ephemeral)
    if #self.messages_1 > MESSAGES_1_MAX then table.remove(self.messages_1, 1) end
end

-- What a message of a pairing is: the phone sends 1 and 3, the web 2.
function Stream:pairing_message(sender, ephemeral)
    if sender == "web" then
        self.connection = new_connection(true, "phone", self.messages_1, ephemeral)
        return { pattern = "XK", message = 2, ephemeral = ephemeral }
    end
    if sender == "phone" and self.connection and self.connection.is_pairing then
        return { pattern = "XK", message = 3 }
    end
    if sender == "phone" then self:message_1(ephemeral) end
    return { pattern = "XK", message = sender and 1, ephemeral = sender and ephemeral }
end

function Stream:record(sender, body)
    local seen = { layout = "Record", from = sender, reason = "its handshake is not in the capture" }
    local connection = self.connection
    if not connection or not sender then return seen end
    seen.connection, seen.ciphertext = connection, body
    seen.expected = connection.next[sender]
    seen.counter = seen.expected
    return seen
end

-- Returns what is known of a DATA frame, nil for other frames. The first time that a packet is dissected, in the order
-- of the capture, it moves what is known of the connection.
function Stream:data(pinfo, frame, bytes, sender, path)
    if not frame or frame.name ~= "DATA" then return nil end
    local kind, body = bytes:byte(2), bytes:sub(3)
    local place = ("%d:%d:"):format(pinfo.number, #bytes) .. bytes:sub(-TAG_LEN)
    local seen = self.seen[place]
    if not seen then
        if kind == KIND_PAIRING then
            seen = self:pairing_message(sender, body:sub(1, EPHEMERAL_LEN))
        elseif kind == KIND_KK1 then
            local ephemeral = body:sub(HEAD_LEN + 1, HEAD_LEN + EPHEMERAL_LEN)
            self:message_1(ephemeral)
            seen = { pattern = "KK", message = 1, ephemeral = ephemeral }
        elseif kind == KIND_KK2 then
            local ephemeral = body:sub(1, EPHEMERAL_LEN)
            self.connection = new_connection(false, "web", self.messages_1, ephemeral)
            seen = { pattern = "KK", message = 2, ephemeral = ephemeral }
        elseif kind == KIND_RECORD then
            seen = self:record(sender, body)
        else
            return nil
        end
        self.seen[place] = seen
    end
    -- A key that came into the log later opens what was seen before.
    if seen.ciphertext and not seen.plaintext then
        open(seen, path)
        if not seen.is_counted then
            seen.is_counted = true
            local next_of = seen.connection.next
            next_of[seen.from] = math.max(next_of[seen.from], seen.expected + (seen.is_fault and 0 or 1))
        end
    end
    return seen
end

-- Returns whether a record's ciphertext may have this length.
function connections.is_record_len(len)
    local size = 128
    while size < 16384 and size + TAG_LEN < len do size = size * 2 end
    return size + TAG_LEN == len
end

-- Returns what is known of a TCP connection, by its number in the capture.
function connections.stream(number)
    local stream = streams[number]
    if not stream then
        stream = setmetatable({ messages_1 = {}, seen = {} }, Stream)
        streams[number] = stream
    end
    return stream
end

-- Forgets everything: another capture is read.
function connections.reset(the_wire, the_decode, the_aead)
    wire, decode, aead = the_wire, the_decode, the_aead
    streams, key_log = {}, {}
end

return connections
