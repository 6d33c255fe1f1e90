-- ChaCha20-Poly1305 (RFC 8439), decryption alone, for Lua 5.2 to 5.4 without other libraries.
--
-- Nothing here runs in constant time: it is for a debugger who has the keys anyway.

local aead = {}

-- `rotate_xor(a, b, n)` is `(a ~ b) <<< n` on 32 bits, and `xor(a, b)` is `a ~ b`. `a` may be above 2^32.
local rotate_xor, xor
if _VERSION == "Lua 5.2" then
    local bxor, lrotate = bit32.bxor, bit32.lrotate
    xor = bxor
    function rotate_xor(a, b, n) return lrotate(bxor(a, b), n) end
else
    -- Lua 5.2 cannot read these operators.
    local compile = function(text) return assert(load(text))() end
    xor = compile("return function(a, b) return a ~ b end")
    rotate_xor = compile([[return function(a, b, n)
        local x = (a ~ b) & 0xffffffff
        return (x << n | x >> (32 - n)) & 0xffffffff
    end]])
end

local TWO_32 = 4294967296

local function word_at(bytes, at)
    local a, b, c, d = bytes:byte(at, at + 3)
    return a + b * 256 + c * 65536 + d * 16777216
end

-- One quarter round on the words of `s` at these places. The sums are cut to 32 bits where the rounds end.
local function quarter(s, ia, ib, ic, id)
    local a, b, c, d = s[ia], s[ib], s[ic], s[id]
    a = a + b
    d = rotate_xor(a, d, 16)
    c = c + d
    b = rotate_xor(c, b, 12)
    a = a + b
    d = rotate_xor(a, d, 8)
    c = c + d
    b = rotate_xor(c, b, 7)
    s[ia], s[ib], s[ic], s[id] = a, b, c, d
end

-- The sixteen words of a block of the key stream.
local function block(state, counter)
    local s = {}
    for i = 1, 16 do s[i] = state[i] end
    s[13] = counter
    for _ = 1, 10 do
        quarter(s, 1, 5, 9, 13)
        quarter(s, 2, 6, 10, 14)
        quarter(s, 3, 7, 11, 15)
        quarter(s, 4, 8, 12, 16)
        quarter(s, 1, 6, 11, 16)
        quarter(s, 2, 7, 12, 13)
        quarter(s, 3, 8, 9, 14)
        quarter(s, 4, 5, 10, 15)
    end
    for i = 1, 16 do s[i] = (s[i] + (i == 13 and counter or state[i])) % TWO_32 end
    return s
end

local function initial_state(key, nonce)
    local state = { 0x61707865, 0x3320646e, 0x79622d32, 0x6b206574 }
    for i = 0, 7 do state[5 + i] = word_at(key, 1 + 4 * i) end
    state[13] = 0
    for i = 0, 2 do state[14 + i] = word_at(nonce, 1 + 4 * i) end
    return state
end

local function word_bytes(word)
    local a = word % 256
    word = (word - a) / 256
    local b = word % 256
    word = (word - b) / 256
    local c = word % 256
    return string.char(a, b, c, (word - c) / 256)
end

-- The data XOR the key stream from block 1 on.
local function stream(state, data)
    local out, counter = {}, 1
    for at = 1, #data, 64 do
        local key = block(state, counter)
        local left = math.min(64, #data - at + 1)
        local part = data:sub(at, at + left - 1) .. ("\0"):rep(64 - left)
        local words = {}
        for i = 1, 16 do words[i] = word_bytes(xor(word_at(part, 4 * i - 3), key[i])) end
        out[counter] = table.concat(words):sub(1, left)
        counter = counter + 1
    end
    return table.concat(out)
end

-- Poly1305 counts in six limbs of 22 bits: products of limbs, six of them added, stay below 2^53, up to which a
-- double is exact. 2^132 is 20 modulo 2^130 - 5.
local LIMB = 4194304
local WRAP = 20

-- Sixteen bytes and the bit above them, as limbs.
local function limbs(bytes, at, high)
    local b1, b2, b3, b4, b5, b6, b7, b8, b9, b10, b11, b12, b13, b14, b15, b16 = bytes:byte(at, at + 15)
    local low = b6 % 16
    local one = b1 + b2 * 2 ^ 8 + b3 * 2 ^ 16 + b4 * 2 ^ 24 + b5 * 2 ^ 32 + low * 2 ^ 40
    local two = (b6 - low) / 16 + b7 * 2 ^ 4 + b8 * 2 ^ 12 + b9 * 2 ^ 20 + b10 * 2 ^ 28 + b11 * 2 ^ 36
    local three = b12 + b13 * 2 ^ 8 + b14 * 2 ^ 16 + b15 * 2 ^ 24 + b16 * 2 ^ 32 + high * 2 ^ 40
    local a, c, e = one % LIMB, two % LIMB, three % LIMB
    return a, (one - a) / LIMB, c, (two - c) / LIMB, e, (three - e) / LIMB
end

local function carry(h)
    local over = 0
    for i = 1, 6 do
        local sum = h[i] + over
        h[i] = sum % LIMB
        over = (sum - h[i]) / LIMB
    end
    h[1] = h[1] + over * WRAP
end

-- Reduces modulo 2^130 - 5.
local function reduce(h)
    for _ = 1, 3 do
        carry(h)
        local low = h[6] % 2 ^ 20
        h[1] = h[1] + (h[6] - low) / 2 ^ 20 * 5
        h[6] = low
    end
    -- If the sum with 5 reaches 2^130, that bit is dropped, and the sum is the rest.
    local sum = { h[1] + 5, h[2], h[3], h[4], h[5], h[6] }
    carry(sum)
    if sum[6] >= 2 ^ 20 then
        sum[6] = sum[6] - 2 ^ 20
        return sum
    end
    return h
end

-- Returns the tag: the lower sixteen bytes of the limbs and `s` added.
local function finish(h, s)
    local bytes, bits, held, over = {}, 0, 0, 0
    local limb = 1
    for i = 1, 16 do
        while bits < 8 do
            held = held + h[limb] * 2 ^ bits
            bits = bits + 22
            limb = limb + 1
        end
        local byte = held % 256
        held, bits = (held - byte) / 256, bits - 8
        local sum = byte + s:byte(i) + over
        bytes[i] = string.char(math.floor(sum % 256))
        over = (sum - sum % 256) / 256
    end
    return table.concat(bytes)
end

-- Returns the sixteen bytes of Poly1305 over a message under a key of 32 bytes.
function aead.poly1305(key, message)
    local clamped = {}
    for i = 1, 16 do
        local byte = key:byte(i)
        if i % 4 == 0 then byte = byte % 16 elseif i % 4 == 1 and i > 1 then byte = byte - byte % 4 end
        clamped[i] = string.char(byte)
    end
    local r1, r2, r3, r4, r5, r6 = limbs(table.concat(clamped), 1, 0)
    local w2, w3, w4, w5, w6 = r2 * WRAP, r3 * WRAP, r4 * WRAP, r5 * WRAP, r6 * WRAP
    local h = { 0, 0, 0, 0, 0, 0 }
    for at = 1, #message, 16 do
        local part, from, high = message, at, 1
        if at + 15 > #message then
            part = message:sub(at) .. "\1" .. ("\0"):rep(15 - (#message - at + 1))
            from, high = 1, 0
        end
        local m1, m2, m3, m4, m5, m6 = limbs(part, from, high)
        local a, b, c, d, e, f = h[1] + m1, h[2] + m2, h[3] + m3, h[4] + m4, h[5] + m5, h[6] + m6
        h[1] = a * r1 + b * w6 + c * w5 + d * w4 + e * w3 + f * w2
        h[2] = a * r2 + b * r1 + c * w6 + d * w5 + e * w4 + f * w3
        h[3] = a * r3 + b * r2 + c * r1 + d * w6 + e * w5 + f * w4
        h[4] = a * r4 + b * r3 + c * r2 + d * r1 + e * w6 + f * w5
        h[5] = a * r5 + b * r4 + c * r3 + d * r2 + e * r1 + f * w6
        h[6] = a * r6 + b * r5 + c * r4 + d * r3 + e * r2 + f * r1
        carry(h)
        -- What went around may fill the first limb again.
        local first = h[1] % LIMB
        h[2] = h[2] + (h[1] - first) / LIMB
        h[1] = first
    end
    return finish(reduce(h), key:sub(17, 32))
end

local function padded(bytes) return bytes .. ("\0"):rep(-#bytes % 16) end

local function length(bytes)
    local low = #bytes % TWO_32
    return word_bytes(low) .. word_bytes((#bytes - low) / TWO_32)
end

-- Returns the plaintext of `ciphertext | tag`, or nil if the tag is not the right one. `key` has 32 bytes, `nonce` 12.
function aead.open(key, nonce, ciphertext, associated)
    associated = associated or ""
    if #ciphertext < 16 then return nil end
    local body, tag = ciphertext:sub(1, -17), ciphertext:sub(-16)
    local state = initial_state(key, nonce)
    local first, words = block(state, 0), {}
    for i = 1, 8 do words[i] = word_bytes(first[i]) end
    local input = padded(associated) .. padded(body) .. length(associated) .. length(body)
    if aead.poly1305(table.concat(words), input) ~= tag then return nil end
    return stream(state, body)
end

-- Returns the nonce of a counter as Noise has it: 32 zero bits, then the counter in little-endian order.
function aead.nonce(counter)
    local low = counter % TWO_32
    return "\0\0\0\0" .. word_bytes(low) .. word_bytes(math.floor(counter / TWO_32))
end

return aead
