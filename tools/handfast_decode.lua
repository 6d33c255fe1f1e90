-- Reads bytes by the layouts of `handfast_wire.lua`, in the order of checks of spec/errors.md, into a tree of nodes.
--
-- A node is { name, field, at, len, value, children }: `field` names the layout and its member ("DELTA.from"), `at`
-- counts from 0, and `value` is a number (with `hi` and `lo`, its halves of 32 bits), a string, or nil.

local decode = {}

local function refuse(code, at) error({ code = code, at = at }, 0) end

-- A part of the input: from `at` up to `stop`, both counted from 0.
local Source = {}
Source.__index = Source

local function source(bytes, at, stop) return setmetatable({ bytes = bytes, at = at, stop = stop }, Source) end

function Source:len() return self.stop - self.at end

function Source:within(min, max, code)
    if self:len() < min or self:len() > max then refuse(code or "FIELD_LENGTH", self.at) end
end

function Source:take(len)
    if len > self:len() then refuse("TRUNCATED", self.at) end
    local part = source(self.bytes, self.at, self.at + len)
    self.at = self.at + len
    return part
end

function Source:rest() return self.bytes:sub(self.at + 1, self.stop) end

function Source:next_byte() return self.at < self.stop and self.bytes:byte(self.at + 1) or nil end

-- Returns a big-endian number of so many bytes, with its halves. Above 2^53 only the halves are exact.
function Source:uint(len)
    local part = self:take(len)
    local hi, lo = 0, 0
    for i = part.at + 1, part.stop do
        local left = part.stop - i
        local byte = self.bytes:byte(i)
        if left >= 4 then hi = hi * 256 + byte else lo = lo * 256 + byte end
    end
    return { value = hi * 4294967296 + lo, hi = hi, lo = lo }
end

function Source:varint()
    local start = self.at
    local first = self:uint(1).value
    local more = 2 ^ math.floor(first / 64) - 1
    local number
    if more == 0 then
        number = { value = first, hi = 0, lo = first }
    else
        if more > self:len() then refuse("TRUNCATED", self.at) end
        self.at = start
        number = self:uint(more + 1)
        -- The two highest bits are the length.
        local top = math.floor(first / 64)
        if more == 7 then
            number.hi = number.hi - top * 1073741824
        else
            number.lo = number.lo - top * 2 ^ (8 * more + 6)
        end
        number.value = number.hi * 4294967296 + number.lo
    end
    local shortest = number.value < 64 and 0 or number.value < 16384 and 1 or number.value < 1073741824 and 3 or 7
    if more ~= shortest then refuse("VARINT_NOT_MINIMAL", start) end
    return number
end

function Source:finish()
    if self:len() > 0 then refuse("TRAILING_BYTES", self.at) end
end

-- Bytes behind a length as a varint.
local function long(src, min, max)
    local start = src.at
    local part = src:take(src:varint().value)
    if part:len() < min or part:len() > max then refuse("FIELD_LENGTH", start) end
    return part
end

local function is_utf8(text)
    local at = 1
    while at <= #text do
        local a, b = text:byte(at, at + 1)
        local more, low, high
        if a < 0x80 then more = 0
        elseif a >= 0xc2 and a <= 0xdf then more = 1
        elseif a >= 0xe0 and a <= 0xef then more = 2
        elseif a >= 0xf0 and a <= 0xf4 then more = 3
        else return false end
        if a == 0xe0 then low = 0xa0 elseif a == 0xf0 then low = 0x90 end
        if a == 0xed then high = 0x9f elseif a == 0xf4 then high = 0x8f end
        if more > 0 and (not b or b < (low or 0x80) or b > (high or 0xbf)) then return false end
        for i = at + 1, at + more do
            local c = text:byte(i)
            if not c or c < 0x80 or c > 0xbf then return false end
        end
        at = at + more + 1
    end
    return true
end

local function is_ipv4(host)
    local parts = { host:match("^(%d+)%.(%d+)%.(%d+)%.(%d+)$") }
    for _, part in ipairs(parts) do
        if #part > 3 or tonumber(part) > 255 or (#part > 1 and part:sub(1, 1) == "0") then return false end
    end
    return #parts == 4
end

-- The rule of spec/qr.md. Of an address in brackets only the characters are looked at.
local function is_relay_name(text)
    local host, port = text:match("^(%[[%x:.]+%])(.*)$")
    if not host then
        host, port = text:match("^([^:]*)(.*)$")
        for label in (host .. "."):gmatch("([^.]*)%.") do
            local is_label = #label > 0 and #label <= 63 and label:match("^[%l%d-]+$")
            if not is_label or label:sub(1, 1) == "-" or label:sub(-1) == "-" then return false end
        end
        local last = host:match("([^.]*)$")
        if (last:match("^%d+$") or last:match("^0x%x*$")) and not is_ipv4(host) then return false end
    elseif host:match("%u") then
        return false
    end
    if port == "" then return true end
    local digits = port:match("^:([1-9]%d*)$")
    return digits ~= nil and #digits <= 5 and tonumber(digits) <= 65535
end

local Reader = {}
Reader.__index = Reader

local function child_of(node, name, field, at)
    local child = { name = name, field = field, at = at, children = {} }
    table.insert(node.children, child)
    return child
end

function Reader:bytes(src, content, extent, min, max)
    local part
    if extent == "fixed" then
        part = src:take(min)
    elseif extent == "rest" then
        src:within(min, max, content == "relay_name" and "RELAY_NAME" or "FIELD_LENGTH")
        part = src:take(src:len())
    elseif extent == "short" then
        part = src:take(src:uint(1).value)
        part:within(min, max)
    else
        part = long(src, min, max)
    end
    local text = part:rest()
    if content == "text" and not is_utf8(text) then refuse("BAD_UTF8", part.at) end
    if content == "relay_name" and not is_relay_name(text) then refuse("RELAY_NAME", part.at) end
    return text, part
end

-- Reads a value into a node.
function Reader:kind(kind, src, node)
    local what = kind[1]
    if what == "uint" or what == "varint" then
        local number = what == "uint" and src:uint(kind[2]) or src:varint()
        node.value, node.hi, node.lo = number.value, number.hi, number.lo
    elseif what == "named" then
        node.definition = kind[2]
        self:definition(kind[2], src, node)
    elseif what == "list" then
        self:list(kind, src, node)
    else
        local part
        node.value, part = self:bytes(src, table.unpack(kind))
        node.value_at = part.at
    end
end

function Reader:field(owner, field, src, parent)
    local node = child_of(parent, field.name, owner .. "." .. field.name, src.at)
    local start = src.at
    self:kind(field.kind, src, node)
    node.len = src.at - start
    if field.range and (node.value < field.range[1] or node.value > field.range[2]) then
        refuse("FIELD_VALUE", start)
    end
    return node
end

-- The first value of a list's element, by which the elements ascend, so that Lua compares it.
function Reader:first(kind, src)
    if kind[1] == "named" then return self:first(self.wire.definitions[kind[2]][1].kind, src) end
    if kind[1] == "varint" then
        local number = src:varint()
        return ("%010d%010d"):format(number.hi, number.lo)
    end
    return (self:bytes(src, table.unpack(kind)))
end

function Reader:list(kind, src, node)
    local element, min, max, in_bytes, ascending = kind[2], kind.min, kind.max, kind.bytes, kind.ascending
    if in_bytes then src:within(min, max) elseif min > 0 and src:len() == 0 then refuse("FIELD_LENGTH", src.at) end
    local count, last = 0, nil
    while src:len() > 0 do
        if not in_bytes and count == max then refuse("FIELD_LENGTH", src.at) end
        if ascending then
            local first = self:first(element, source(src.bytes, src.at, src.stop))
            if last and last >= first then refuse(last == first and "DUPLICATE_FIELD" or "FIELD_ORDER", src.at) end
            last = first
        end
        count = count + 1
        local child = child_of(node, "element", node.field, src.at)
        child.is_element = true
        self:kind(element, src, child)
        child.len = src.at - child.at
    end
end

-- Checks the grammar of a whole list; in a padded one, stops where the padding begins.
local function tlv_fields(entries, src, padded)
    local known, fields, last = {}, {}, nil
    for _, entry in ipairs(entries) do
        for _, one in ipairs(entry.group or { entry }) do known[one.number] = true end
    end
    while src:len() > 0 and not (padded and src:next_byte() == 0) do
        local start = src.at
        local number = src:varint().value
        if last == number then refuse("DUPLICATE_FIELD", start) end
        if last and number < last then refuse("FIELD_ORDER", start) end
        if number == 0 then refuse("FIELD_VALUE", start) end
        if number % 2 == 1 and not known[number] then refuse("UNKNOWN_CRITICAL", start) end
        last = number
        fields[number] = long(src, 0, math.huge)
        fields[number].start = start
    end
    return fields
end

local function is_wanted(entry, there, parent)
    if entry.presence == "required" then return true end
    if entry.presence ~= "when" then return there end
    for _, condition in ipairs(entry.any) do
        for _, node in ipairs(parent.children) do
            if node.name == condition[1] and node.value == condition[2] then return true end
        end
    end
    return false
end

-- Reads a value whose length is given: a number or fixed bytes of another length are FIELD_LENGTH.
function Reader:value(owner, entry, value, parent)
    local kind = entry.kind
    local is_plain = kind[1] == "uint" or kind[1] == "varint" or kind[2] == "fixed"
    local fixed = kind[1] == "uint" and kind[2] or kind[2] == "fixed" and kind[3]
    if fixed then value:within(fixed, fixed) end
    local src = source(value.bytes, value.at, value.stop)
    local ok, fault = pcall(self.field, self, owner, entry, src, parent)
    if not ok then
        if is_plain and type(fault) == "table" and fault.code == "TRUNCATED" then refuse("FIELD_LENGTH", value.at) end
        error(fault, 0)
    end
    if is_plain and src:len() > 0 then refuse("FIELD_LENGTH", value.at) end
    src:finish()
end

function Reader:entries(owner, entries, fields, stop, parent)
    for _, entry in ipairs(entries) do
        if entry.group then
            local has_one = false
            for _, one in ipairs(entry.group) do has_one = has_one or fields[one.number] ~= nil end
            if has_one then self:entries(owner, entry.group, fields, stop, parent) end
        else
            local value = fields[entry.number]
            local wanted = is_wanted(entry, value ~= nil, parent)
            if wanted and not value then refuse("FIELD_MISSING", stop) end
            if value and not wanted then refuse("FIELD_VALUE", value.at) end
            if value then self:value(owner, entry, value, parent) end
        end
    end
end

-- Reads the number, and what it says follows.
function Reader:select(name, select, src, parent)
    local start = src.at
    local node = child_of(parent, "ignored", name, start)
    node.tag = select.tag[1] == "uint" and src:uint(select.tag[2]) or src:varint()
    local tag = node.tag.value
    node.tag_len = src.at - start
    local body = select.has_length and long(src, 0, math.huge) or src:take(src:len())
    node.len = src.at - start
    local case = select.cases[tag]
    if not case then
        -- In a padded list, 0 is no type but the padding.
        if not select.ignores_even or tag % 2 == 1 or (tag == 0 and select.has_length) then
            node.name = "unknown"
            refuse(select.other, start)
        end
        return
    end
    node.name, node.definition = case.name, case.body
    if case.from and self.from and case.from ~= self.from then refuse("FRAME_NOT_ALLOWED", start) end
    self:definition(case.body, body, node)
    body:finish()
end

-- Frames or a TLV list, then zeros up to the smallest size that holds them.
function Reader:padded(definition, src, node)
    local start, stop, body = src.at, src.stop, self.wire.definitions[definition[2]]
    src:within(definition[3], definition[4], "BAD_RECORD_SIZE")
    local size = definition[3]
    while size < src:len() do size = size * 2 end
    if size ~= src:len() then refuse("BAD_RECORD_SIZE", start) end
    local fields
    if body[1] == "tlv" then
        fields = tlv_fields(body[2], src, true)
    else
        while src:len() > 0 and src:next_byte() ~= 0 do self:select(definition[2], body, src, node) end
    end
    node.padding_at, node.padding_len = src.at, src:len()
    local used = src.at - start
    local other = src.bytes:find("[^\0]", src.at + 1)
    if other and other <= stop then refuse("BAD_PADDING", other - 1) end
    src.at = stop
    if size > definition[3] and used <= size / 2 then refuse("BAD_RECORD_SIZE", start) end
    if fields then self:entries(definition[2], body[2], fields, start, node) end
end

function Reader:definition(name, src, node)
    local definition = self.wire.definitions[name]
    local what = definition[1]
    if what == "tlv" then
        local fields = tlv_fields(definition[2], src, false)
        self:entries(name, definition[2], fields, src.at, node)
    elseif what == "select" then
        self:select(name, definition, src, node)
    elseif what == "enum" then
        local start = src.at
        node.value = src:uint(1).value
        node.text = definition[2][node.value]
        if not node.text then refuse("FIELD_VALUE", start) end
    elseif what == "message" then
        src:within(definition[3], definition[4])
        self:definition(definition[2], src, node)
    elseif what == "padded" then
        self:padded(definition, src, node)
    else
        for _, member in ipairs(definition) do
            if member.low then
                local low, high
                for _, child in ipairs(node.children) do
                    if child.name == member.low then low = child.value end
                    if child.name == member.high then high = child.value end
                end
                if low > high then refuse("FIELD_VALUE", src.at) end
            else
                self:field(name, member, src, node)
            end
        end
    end
end

-- Reads `bytes` as the definition of this name; `from` is the role of the sender where that matters. Returns the node,
-- which has what was found, and nil or { code, at }.
function decode.read(wire, name, from, bytes)
    local reader = setmetatable({ wire = wire, from = from }, Reader)
    local node = { name = name, definition = name, at = 0, len = #bytes, children = {} }
    local src = source(bytes, 0, #bytes)
    local ok, fault = pcall(function()
        reader:definition(name, src, node)
        src:finish()
    end)
    if not ok and type(fault) ~= "table" then error(fault, 0) end
    return node, not ok and fault or nil
end

-- Returns the first node below this one with the name, or nil.
function decode.find(node, name)
    for _, child in ipairs(node.children) do
        if child.name == name then return child end
    end
    return nil
end

return decode
