// A shim to fill in: it answers `hello` and `kk.head`; SHIMS.md has the protocol.
//
//	go build -o shim template.go
//	handfast-conformance run --shim ./shim --case '*heads*'
package main

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"io"
	"log"
	"os"
)

type object = map[string]any

// refused is an error of the specification.
type refused struct{ area, code string }

func (r refused) Error() string { return r.code }

// kkHead reads the clear head of a reconnect's message 1 (HSK-078). Replace this by a call of your code.
func kkHead(given object) (object, error) {
	text, _ := given["message"].(string)
	message, err := hex.DecodeString(text)
	if err != nil {
		return nil, err
	}
	if len(message) < 10 {
		return nil, refused{"framing", "TRUNCATED"}
	}
	suite, mode := message[0], message[1]
	if suite != 1 || mode > 1 {
		return nil, refused{"framing", "FIELD_VALUE"}
	}
	name := []string{"resume", "recover"}[mode]
	return object{"mode": name, "psk_id": hex.EncodeToString(message[2:10]), "noise": hex.EncodeToString(message[10:])}, nil
}

// ops has the operations. Add the next one here; a name that is missing is answered as unsupported.
var ops = map[string]func(object) (object, error){"kk.head": kkHead}

func answer(op string, given object) object {
	if op == "hello" {
		return object{"ok": true, "proto": 1, "spec": "1", "name": "template", "version": "0", "roles": []string{"phone", "web"}}
	}
	run, isKnown := ops[op]
	if !isKnown {
		return object{"unsupported": op}
	}
	out, err := run(given)
	if r, isRefused := err.(refused); isRefused {
		return object{"ok": false, "area": r.area, "code": r.code}
	}
	if err != nil {
		log.Fatal(err)
	}
	return object{"ok": true, "out": out}
}

func main() {
	lines, answers := bufio.NewReader(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		// A request may be longer than a bufio.Scanner takes.
		line, err := lines.ReadBytes('\n')
		if err == io.EOF {
			return
		}
		var request struct {
			ID uint64 `json:"id"`
			Op string `json:"op"`
			In object `json:"in"`
		}
		if err == nil {
			err = json.Unmarshal(line, &request)
		}
		if err != nil {
			log.Fatal(err)
		}
		told := answer(request.Op, request.In)
		told["id"] = request.ID
		if err := answers.Encode(told); err != nil {
			log.Fatal(err)
		}
	}
}
