-- The tests of the dissector's parts: `tshark -r FILE -X lua_script:tools/test_dissector.lua -X lua_script1:CASES`, or
-- `lua tools/test_dissector.lua CASES`, with what
-- `cargo run -p handfast-conformance --example dissector -- cases` prints.

local here = (__DIR__ or arg and arg[0]:match("^(.*)/") or ".") .. package.config:sub(1, 1)
local aead = dofile(here .. "handfast_aead.lua")
local decode = dofile(here .. "handfast_decode.lua")
local wire = dofile(here .. "handfast_wire.lua")

local function unhex(text)
    return (text:gsub("%s", ""):gsub("%x%x", function(digits) return string.char(tonumber(digits, 16)) end))
end

local function hex(bytes) return (bytes:gsub(".", function(byte) return ("%02x"):format(byte:byte()) end)) end

local function equal(found, expected, what)
    if found ~= expected then error(("%s: %s, not %s"):format(what, tostring(found), tostring(expected)), 0) end
end

-- RFC 8439, section 2.5.2, and the vectors 7 to 11 of appendix A.3, where the sum passes the prime.
local POLY1305 = {
    { "85d6be7857556d337f4452fe42d506a80103808afb0db2fd4abff6af4149f51b",
        hex("Cryptographic Forum Research Group"), "a8061dc1305136c6c22b8baf0c0127a9" },
    { "02" .. ("00"):rep(31), ("ff"):rep(16), "03" .. ("00"):rep(15) },
    { "02" .. ("00"):rep(15) .. ("ff"):rep(16), "02" .. ("00"):rep(15), "03" .. ("00"):rep(15) },
    { "01" .. ("00"):rep(31), ("ff"):rep(16) .. "f0" .. ("ff"):rep(15) .. "11" .. ("00"):rep(15),
        "05" .. ("00"):rep(15) },
    { "01" .. ("00"):rep(31), ("ff"):rep(16) .. "fb" .. ("fe"):rep(15) .. ("01"):rep(16), ("00"):rep(16) },
    { "02" .. ("00"):rep(31), "fd" .. ("ff"):rep(15), "fa" .. ("ff"):rep(15) },
    { "0100000000000000040000000000000000000000000000000000000000000000", [[
        e33594d7505e43b900000000000000003394d7505e4379cd010000000000000000000000000000000000000000000000
        01000000000000000000000000000000]], "14000000000000005500000000000000" },
    { "0100000000000000040000000000000000000000000000000000000000000000",
        "e33594d7505e43b900000000000000003394d7505e4379cd010000000000000000000000000000000000000000000000",
        "13000000000000000000000000000000" },
}

local function test_poly1305()
    for i, case in ipairs(POLY1305) do
        equal(hex(aead.poly1305(unhex(case[1]), unhex(case[2]))), case[3], "poly1305 " .. i)
    end
end

-- RFC 8439, section 2.8.2.
local function test_aead()
    local key = unhex("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f")
    local nonce = unhex("070000004041424344454647")
    local sealed = unhex([[
        d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da92728b
        1a71de0a9e060b2905d6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc
        3ff4def08e4b7a9de576d26586cec64b61161ae10b594f09e26a7e902ecbd0600691]])
    local associated = unhex("50515253c0c1c2c3c4c5c6c7")
    equal(aead.open(key, nonce, sealed, associated), "Ladies and Gentlemen of the class of '99: If I could offer you "
        .. "only one tip for the future, sunscreen would be it.", "the AEAD of RFC 8439")
    equal(aead.open(key, nonce, sealed, associated .. "x"), nil, "other associated data")
    for at = 1, #sealed do
        local other = sealed:sub(1, at - 1) .. string.char((sealed:byte(at) + 1) % 256) .. sealed:sub(at + 1)
        equal(aead.open(key, nonce, other, associated), nil, "byte " .. at)
    end
end

-- Takes the place of each field out of those that are expected.
local function take_places(node, path, expected, id)
    for _, child in ipairs(node.children) do
        local own = path
        if not child.is_element and child.name ~= "ignored" then
            own = path == "" and child.name or path .. "." .. child.name
            local place = ("%s@%d+%d"):format(own, child.at, child.len)
            if not expected[place] then error(id .. ": no field is at " .. place, 0) end
            expected[place] = expected[place] > 1 and expected[place] - 1 or nil
        end
        take_places(child, own, expected, id)
    end
end

local function test_read(line)
    local id, name, from, refusal, bytes, expected = line:match("^read (%S+) (%S+) (%S+) (%S+) (%x*) (.*)$")
    local node, fault = decode.read(wire, name, from ~= "-" and from or nil, unhex(bytes))
    equal(fault and ("%s@%d"):format(fault.code, fault.at) or "-", refusal, id)
    if not fault then
        local left = {}
        for place in expected:gmatch("[^,]+") do left[place] = (left[place] or 0) + 1 end
        take_places(node, "", left, id)
        equal(next(left), nil, id)
    end
end

local function test_open(line)
    local id, key, counter, record, plaintext = line:match("^open (%S+) (%x+) (%d+) (%x+) (%S+)$")
    local opened = aead.open(unhex(key), aead.nonce(tonumber(counter)), unhex(record))
    equal(opened and hex(opened) or "-", plaintext, id)
end

local function test_cases(path)
    local count = { read = 0, open = 0 }
    for line in io.lines(path) do
        local what = line:match("^%l+")
        if what == "read" then test_read(line) else test_open(line) end
        count[what] = count[what] + 1
    end
    return count
end

test_poly1305()
test_aead()
local count = test_cases((...))
print(("%d vectors of bytes read alike, %d records opened alike"):format(count.read, count.open))
