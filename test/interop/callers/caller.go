// Signs and verifies by net/http: caller ADDRESS
//
// Prints a line for each answer: the step, the status and the body.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

var client = &http.Client{Timeout: 20 * time.Second}
var origin = os.Args[1]

type object map[string]any

func call(step, path string, body io.Reader, header http.Header) object {
	request, err := http.NewRequest(http.MethodPost, origin+path, body)
	if err != nil {
		log.Fatal(err)
	}
	request.Header = header
	request.Header.Set("Sec-Signer", "1")
	response, err := client.Do(request)
	if err != nil {
		log.Fatal(step, ": ", err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		log.Fatal(step, ": ", err)
	}
	fmt.Println(step, response.StatusCode, string(text))
	var answer object
	if err := json.Unmarshal(text, &answer); err != nil {
		log.Fatal(step, ": ", err)
	}
	return answer
}

func callJSON(step, path string, body object) object {
	text, err := json.Marshal(body)
	if err != nil {
		log.Fatal(err)
	}
	return call(step, path, bytes.NewReader(text), http.Header{"Content-Type": {"application/json"}})
}

// A message of 5 MB, whose length is not known before.
func callMessage(step, path string, header http.Header) object {
	header.Set("Content-Type", "application/octet-stream")
	part := bytes.Repeat([]byte("x"), 50_000)
	reader, writer := io.Pipe()
	go func() {
		for i := 0; i < 100; i++ {
			if _, err := writer.Write(part); err != nil {
				return
			}
		}
		writer.Close()
	}()
	return call(step, path, reader, header)
}

func main() {
	if path := os.Args[1]; strings.HasPrefix(path, "/") {
		origin = "http://unix"
		client.Transport = &http.Transport{
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				var dialer net.Dialer
				return dialer.DialContext(ctx, "unix", path)
			},
		}
	}
	signed := callJSON("sign", "/v1/keys/orders/sign", object{"message": "hello"})
	callJSON("verify", "/v1/keys/orders/verify", object{"message": "hello", "signature": signed["signature"]})

	webhook := object{"body": `{"action":"opened"}`}
	webhook["headers"] = callJSON("sign-webhook", "/v1/keys/hooks/sign", webhook)["headers"]
	callJSON("verify-webhook", "/v1/keys/hooks/verify", webhook)

	streamed := callMessage("sign-stream", "/v1/keys/orders/sign", http.Header{})
	signature := streamed["signature"].(string)
	callMessage("verify-stream", "/v1/keys/orders/verify", http.Header{"Sec-Signer-Signature": {signature}})

	callJSON("problem", "/v1/keys/orders/sign", object{"message": 5})
	for i := 0; i < 30; i++ {
		callJSON("too-large", "/v1/keys/orders/sign", object{"message": strings.Repeat("x", 1_200_000)})
	}
}
