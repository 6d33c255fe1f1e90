-- A dissector of Handfast for Wireshark and tshark: relay frames, records and their frames, over WebSocket.
--
-- README.md beside this file says how to use it. With a key log that a debug build of a device has written, records are
-- decrypted; without one, they are shown by size and direction. What the bytes mean is in handfast_wire.lua, which is
-- made of the specification.

local here = (__DIR__ or ".") .. package.config:sub(1, 1)
local aead = dofile(here .. "handfast_aead.lua")
local decode = dofile(here .. "handfast_decode.lua")
local wire = dofile(here .. "handfast_wire.lua")
local connections = dofile(here .. "handfast_connections.lua")

local handfast = Proto("handfast", "Handfast")

handfast.prefs.key_log = Pref.string("Key log", "", "The file to which a debug build of a device writes its keys")

-- Fields and experts --------------------------------------------------------------------------------------------------

-- `LINK_CERT` and `LinkRecord` become `link_cert` and `link_record`.
local function snake(name) return (name:gsub("(%l)(%u)", "%1_%2"):lower()) end

-- What is not a field of a layout.
local own = {
    sender = ProtoField.string("handfast.sender", "Sender"),
    counter = ProtoField.uint64("handfast.record.counter", "Counter"),
    size = ProtoField.uint32("handfast.record.size", "Plaintext bytes"),
    padding = ProtoField.bytes("handfast.record.padding", "Padding"),
    padding_len = ProtoField.uint32("handfast.record.padding_len", "Padding bytes"),
    decrypted = ProtoField.bool("handfast.record.decrypted", "Decrypted"),
    connection = ProtoField.bytes("handfast.connection", "Connection, by both ephemeral keys"),
    message = ProtoField.uint8("handfast.handshake.message", "Handshake message"),
    ephemeral = ProtoField.bytes("handfast.handshake.ephemeral", "Ephemeral key"),
    encrypted = ProtoField.bytes("handfast.encrypted", "Encrypted"),
    unknown = ProtoField.bytes("handfast.unknown", "Of a type that is not assigned"),
}
local group, severity = expert.group, expert.severity
local experts = {
    refused = ProtoExpert.new("handfast.refused", "A receiver refuses this", group.MALFORMED, severity.ERROR),
    code = ProtoExpert.new("handfast.code", "An error is told", group.RESPONSE_CODE, severity.WARN),
    no_key = ProtoExpert.new("handfast.no_key", "Not decrypted", group.DECRYPTION, severity.NOTE),
    not_opened = ProtoExpert.new("handfast.not_opened", "Not decrypted", group.DECRYPTION, severity.ERROR),
    skipped = ProtoExpert.new("handfast.skipped", "Records are missing", group.SEQUENCE, severity.WARN),
    cut = ProtoExpert.new("handfast.cut", "Cut by the capture", group.UNDECODED, severity.NOTE),
    other = ProtoExpert.new("handfast.other_vocabulary", "Of another application", group.UNDECODED, severity.CHAT),
}

local fields, all_fields, all_experts = {}, {}, {}

local function add_field(key, make, ...)
    fields[key] = make(...)
    table.insert(all_fields, fields[key])
end

local WIDTHS = { [1] = ProtoField.uint8, [2] = ProtoField.uint16, [4] = ProtoField.uint32, [8] = ProtoField.uint64 }

-- The field of a value: its filter name is that of the layout and its member.
local function add_value(key, abbr, label, kind)
    local names = wire.fields[key] and wire.names[wire.fields[key]]
    local base_of = wire.fields[key] == "error" and base.HEX or base.DEC
    local what = kind[1]
    if what == "varint" then
        add_field(key, ProtoField.uint64, abbr, label)
    elseif what == "uint" then
        add_field(key, WIDTHS[kind[2]], abbr, label, base_of, names)
    elseif what == "text" or what == "relay_name" then
        add_field(key, ProtoField.string, abbr, label)
    elseif what == "opaque" then
        add_field(key, ProtoField.bytes, abbr, label)
    elseif what == "list" then
        add_field(key, ProtoField.none, abbr, label)
        add_value(key .. "[]", abbr .. ".element", label:gsub("s$", ""), kind[2])
    elseif wire.definitions[kind[2]][1] == "enum" then
        add_field(key, ProtoField.uint8, abbr, label, base.DEC, names)
    else
        add_field(key, ProtoField.none, abbr, label)
    end
end

local function add_members(name, abbr, members)
    for _, member in ipairs(members) do
        if member.group then
            add_members(name, abbr, member.group)
        elseif member.name then
            add_value(name .. "." .. member.name, abbr .. "." .. member.name, member.name:gsub("_", " "), member.kind)
        end
    end
end

for name, definition in pairs(wire.definitions) do
    local abbr = "handfast." .. snake(name)
    add_field(name, ProtoField.none, abbr, name)
    if definition[1] == "select" then
        local names = {}
        for number, case in pairs(definition.cases) do names[number] = case.name end
        local label = definition.label == "frame" and "type" or definition.label
        add_field(name .. "#", ProtoField.uint32, abbr .. "." .. label, label, base.DEC, names)
    elseif definition[1] == "tlv" then
        add_members(name, abbr, definition[2])
    elseif definition[1] == nil or type(definition[1]) == "table" then
        add_members(name, abbr, definition)
    end
end
for _, field in pairs(own) do table.insert(all_fields, field) end
for _, field in pairs(experts) do table.insert(all_experts, field) end
handfast.fields = all_fields
handfast.experts = all_experts

local tcp_stream = Field.new("tcp.stream")
local masked = Field.new("websocket.mask")

-- Showing nodes -------------------------------------------------------------------------------------------------------

-- A range of the bytes that are there.
local function range_of(tvb, at, len)
    at = math.min(at, tvb:len())
    return tvb:range(at, math.max(0, math.min(len or tvb:len(), tvb:len() - at)))
end

-- Adds a value of a kind. Numbers are given, since no encoding of Wireshark is that of a varint.
local function add(tree, field, range, node, kind)
    if not node.value then return tree:add(field, range) end
    if kind[1] == "varint" or (kind[1] == "uint" and kind[2] == 8) then
        return tree:add(field, range, UInt64.new(node.lo, node.hi))
    end
    if kind[1] == "opaque" and range:len() > 0 then return tree:add(field, range) end
    return tree:add(field, range, node.value)
end

local function kind_of(key)
    local name, member = key:match("^([^.]+)%.(.+)$")
    local function among(list)
        for _, one in ipairs(list) do
            local found = one.group and among(one.group) or one.name == member and one.kind
            if found then return found end
        end
    end
    local definition = wire.definitions[name]
    return definition and among(definition[1] == "tlv" and definition[2] or definition)
end

-- What the bytes of a field are, if they are more than bytes: the name of a definition.
local function inside(node, parent, context)
    local key = node.field
    if key == "Item.items" then return context.items end
    if key == "Row.body" then return "RowBody" end
    if key == "CommandEnvelope.body" then return "Command" end
    if key == "RESULT.body" then return "Result" end
    if key == "NOW.body" then
        local slot = "Slot" .. math.floor(decode.find(parent, "slot").value)
        return wire.definitions[slot] and slot
    end
    if key == "OPEN.meta" then return decode.find(parent, "kind").value == 1 and "GetMeta" or "PutMeta" end
end

-- Definitions of the reference application: another application has others, so a refusal of one is no fault.
local OF_APPLICATION = { Command = true, Result = true, RowBody = true, Slot1 = true, Slot3 = true, Slot5 = true,
    Slot7 = true, GetMeta = true, PutMeta = true }

-- What the items of a frame or a result are.
local ITEMS = { DELTA = "Row", PAGE = "Row", HISTORY_PAGE = "RowBody" }

local show_children

-- Shows bytes as a definition. Returns the node.
local function show_as(name, bytes, tvb, at, tree, context)
    local node, fault = decode.read(wire, name, context.sender, bytes)
    if fault and OF_APPLICATION[name] then
        tree:add_proto_expert_info(experts.other, "Not of the reference application: " .. fault.code)
        return nil
    end
    show_children(node, tvb, at, tree, context)
    if fault then
        tree:add_proto_expert_info(experts.refused, ("%s at byte %d of %s"):format(fault.code, fault.at, name))
    end
    return node, fault
end

local function show(node, parent, tvb, at, tree, context)
    local range = range_of(tvb, at + node.at, node.len)
    if node.tag then
        -- A case of a select: `field` is the name of the select.
        local branch = tree:add(node.definition and fields[node.definition] or own.unknown, range)
        if node.definition then branch:set_text(node.name) end
        table.insert(context.names, node.name)
        branch:add(fields[node.field .. "#"], range_of(tvb, at + node.at, node.tag_len), node.tag.lo)
        context.items = ITEMS[node.name] or context.items
        show_children(node, tvb, at, branch, context)
        return
    end
    local key = node.is_element and node.field .. "[]" or node.field
    local kind = kind_of(node.field)
    if node.is_element then kind = kind[2] end
    if type(node.value) == "string" then range = range_of(tvb, at + node.value_at, #node.value) end
    local branch = add(tree, fields[key], range, node, kind)
    if wire.fields[node.field] == "error" then
        local name = wire.names.error[node.value] or "unknown"
        branch:add_proto_expert_info(experts.code, name)
        table.insert(context.names, name)
    end
    show_children(node, tvb, at, branch, context)
    local name = type(node.value) == "string" and inside(node, parent, context)
    if name then show_as(name, node.value, tvb, at + node.value_at, branch, context) end
    if node.field == "MSG.body" and context.on_message then context.on_message(parent, node, tvb, at, branch) end
end

function show_children(node, tvb, at, tree, context)
    for _, child in ipairs(node.children) do show(child, node, tvb, at, tree, context) end
end

-- Records -------------------------------------------------------------------------------------------------------------

local function new_tvb(bytes, title) return ByteArray.new(bytes, true):tvb(title) end

-- Shows a command or a result, once all its parts are there.
local function message_shower(context, seen)
    local envelope = context.sender == "web" and "CommandEnvelope" or "ResultEnvelope"
    return function(parent, node, tvb, at, tree)
        local last = decode.find(parent, "last").value
        if last == 0 then
            show_as(envelope, node.value, tvb, at + node.value_at, tree, context)
            return
        end
        local whole = seen.messages and seen.messages[decode.find(parent, "seq").value]
        if whole and decode.find(parent, "part").value == last then
            local branch = tree:add(handfast, ("Message of %d parts"):format(last + 1))
            show_as(envelope, whole, new_tvb(whole, "Message of several parts"), 0, branch, context)
        end
    end
end

local function show_plaintext(seen, sender, tree, names)
    local tvb = new_tvb(seen.plaintext, "Decrypted record")
    local context = { sender = sender, names = names }
    context.on_message = message_shower(context, seen)
    local node = decode.read(wire, seen.layout, sender, seen.plaintext)
    show_as(seen.layout, seen.plaintext, tvb, 0, tree, context)
    if node.padding_len then
        tree:add(own.padding_len, node.padding_len):set_generated()
        if node.padding_len > 0 then tree:add(own.padding, range_of(tvb, node.padding_at, node.padding_len)) end
    end
end

-- Shows a record; `seen` is what the connection made of it.
local function show_record(seen, sender, tvb, tree, names)
    local range = tvb:range(2)
    local branch = tree:add(handfast, range, ("Record, from the %s"):format(sender or "unknown side"))
    local ciphertext = branch:add(own.encrypted, range)
    branch:add(own.size, range, math.max(0, range:len() - 16)):set_generated()
    if seen.counter then branch:add(own.counter, UInt64.new(seen.counter)):set_generated() end
    if seen.id then branch:add(own.connection, new_tvb(seen.id, "Connection"):range()):set_generated() end
    branch:add(own.decrypted, seen.plaintext ~= nil):set_generated()
    if (seen.skipped or 0) > 0 then
        branch:add_proto_expert_info(experts.skipped,
            ("Records before this one that are not in the capture, or that the relay dropped: %d"):format(seen.skipped))
    end
    if seen.plaintext then
        show_plaintext(seen, sender, branch, names)
    else
        ciphertext:add_proto_expert_info(seen.is_fault and experts.not_opened or experts.no_key, seen.reason)
        table.insert(names, "not decrypted: " .. seen.reason)
    end
end

local function show_handshake(seen, tvb, tree, names)
    local number = seen.message
    local title = number and ("Handshake message %d"):format(number) or "Handshake message"
    local branch = tree:add(handfast, tvb:range(2), title)
    if number then branch:add(own.message, tvb:range(2), number):set_generated() end
    table.insert(names, ("%s message %s"):format(seen.pattern, number or "?"))
    local from = 2
    if seen.pattern == "KK" and number == 1 then
        local node = show_as("KkMessage1", tvb:raw(2), tvb, 2, branch, { names = {} })
        from = node and 12 or 2
    end
    if seen.ephemeral then
        branch:add(own.ephemeral, range_of(tvb, from, 32))
        from = from + 32
    end
    if from < tvb:len() then branch:add(own.encrypted, tvb:range(from)) end
end

-- The dissector -------------------------------------------------------------------------------------------------------

-- Says an item that stands several times in a row once, with its count, and leaves out what each record is.
local function summary(names)
    local out, i = {}, names[1] == "DATA" and #names > 1 and 2 or 1
    while i <= #names do
        local count = 1
        while names[i + count] == names[i] do count = count + 1 end
        table.insert(out, count > 1 and ("%s (%d)"):format(names[i], count) or names[i])
        i = i + count
    end
    return table.concat(out, ", ")
end

local function dissect(tvb, pinfo, tree)
    local stream = connections.stream(tcp_stream().value)
    local mask = { masked() }
    local from_client = #mask > 0 and mask[#mask].value
    pinfo.cols.protocol = "Handfast"
    local root = tree:add(handfast, tvb:range())
    if tvb:len() < tvb:reported_len() then
        root:add_proto_expert_info(experts.cut, "The capture has only a part of this message")
        pinfo.cols.info = "Cut by the capture"
        return
    end
    local names, bytes = {}, tvb:raw()
    local node, fault = decode.read(wire, "RelayMessage", nil, bytes)
    local frame = node.children[1]
    local sender = stream:sender(frame, from_client)
    local where = from_client and "Client to relay" or "Relay to client"
    if frame and frame.name == "DATA" and sender then where = ("%s, from the %s"):format(where, sender) end
    if sender then root:add(own.sender, sender):set_generated() end
    show_as("RelayMessage", bytes, tvb, 0, root, { names = names, sender = nil })
    local seen = not fault and stream:data(pinfo, frame, bytes, sender, handfast.prefs.key_log)
    if seen and seen.plaintext == nil and seen.pattern then
        show_handshake(seen, tvb, root, names)
    elseif seen and seen.layout then
        show_record(seen, sender, tvb, root, names)
    end
    local info = where .. ": " .. summary(names)
    root:append_text(" - " .. info)
    -- What an earlier message of this packet has set stays, and this is put behind it.
    local is_second = tostring(pinfo.cols.info):match("^%u%l+ to %l+[,:]") ~= nil
    pinfo.cols.info:set(is_second and "; " .. info or info)
    pinfo.cols.info:fence()
end

handfast.dissector = dissect

-- Whether a first message of a WebSocket is Handfast's: a relay's HELLO, or what comes when the capture began late.
local function is_ours(tvb)
    if tvb:len() < 2 then return false end
    local bytes = tvb:raw()
    local node, fault = decode.read(wire, "RelayMessage", nil, bytes)
    local name = not fault and node.children[1].name
    if name ~= "DATA" then return name == "HELLO" or name == "CHALLENGE" or name == "ATTACH" or name == "ATTACHED" end
    return bytes:byte(2) == 7 and connections.is_record_len(#bytes - 2)
end

handfast:register_heuristic("ws", function(tvb, pinfo, tree)
    local stream = tcp_stream()
    if not stream then return false end
    local known = connections.stream(stream.value)
    known.is_ours = known.is_ours or is_ours(tvb)
    if not known.is_ours then return false end
    dissect(tvb, pinfo, tree)
    return true
end)

function handfast.init() connections.reset(wire, decode, aead) end
