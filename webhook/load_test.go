// SPDX-License-Identifier: Apache-2.0

package webhook_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"sync"
	"testing"
	"time"
)

// loadEnvironment makes the test binary a load generator.
const loadEnvironment = "CREDENCE_LOAD_GENERATOR"

// connections is how many are kept open.
const connections = 8

// loadOptions are what a load generator is told on its standard input.
type loadOptions struct {
	Address, Path string
	Bundle, Body  []byte
	Duration      time.Duration
}

// loadResult is what it says in the end.
type loadResult struct {
	Requests int
	Elapsed  time.Duration
	P99      time.Duration
}

// loadGenerator is one that has opened its connections.
type loadGenerator struct {
	command *exec.Cmd
	input   io.WriteCloser
	output  *bufio.Reader
}

// startLoad starts a process and waits until it is connected.
func startLoad(b *testing.B, options loadOptions) *loadGenerator {
	b.Helper()
	program, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	command := exec.Command(program)
	command.Env = append(os.Environ(), loadEnvironment+"=1")
	command.Stderr = os.Stderr
	input, err := command.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	output, err := command.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := command.Start(); err != nil {
		b.Fatal(err)
	}
	g := &loadGenerator{command: command, input: input, output: bufio.NewReader(output)}
	if err := json.NewEncoder(input).Encode(options); err != nil {
		b.Fatal(err)
	}
	if _, err := g.output.ReadString('\n'); err != nil {
		b.Fatalf("the load generator did not connect: %v", err)
	}
	return g
}

// run lets it go and waits for its result.
func (g *loadGenerator) run(b *testing.B) loadResult {
	b.Helper()
	if _, err := io.WriteString(g.input, "go\n"); err != nil {
		b.Fatal(err)
	}
	line, err := g.output.ReadBytes('\n')
	if err != nil {
		b.Fatalf("the load generator failed: %v", err)
	}
	var result loadResult
	if err := json.Unmarshal(line, &result); err != nil {
		b.Fatal(err)
	}
	if err := g.command.Wait(); err != nil {
		b.Fatal(err)
	}
	return result
}

// generateLoad is the other side of the above.
func generateLoad() error {
	input := bufio.NewReader(os.Stdin)
	line, err := input.ReadBytes('\n')
	if err != nil {
		return err
	}
	var options loadOptions
	if err := json.Unmarshal(line, &options); err != nil {
		return err
	}
	clients := make([]*loadClient, connections)
	for i := range clients {
		if clients[i], err = connect(options); err != nil {
			return err
		}
		if err := clients[i].once(); err != nil {
			return err
		}
	}
	fmt.Fprintln(os.Stdout, "connected")
	if _, err := input.ReadBytes('\n'); err != nil {
		return err
	}
	begin := time.Now()
	failures := make([]error, len(clients))
	var all sync.WaitGroup
	for i, client := range clients {
		all.Go(func() { failures[i] = client.until(begin.Add(options.Duration)) })
	}
	all.Wait()
	elapsed := time.Since(begin)
	if err := errors.Join(failures...); err != nil {
		return err
	}
	var latencies []time.Duration
	for _, client := range clients {
		latencies = append(latencies, client.latencies...)
	}
	slices.Sort(latencies)
	return json.NewEncoder(os.Stdout).Encode(loadResult{Requests: len(latencies), Elapsed: elapsed, P99: latencies[len(latencies)*99/100]})
}

// loadClient is one connection. It is slimmer than net/http's client, so that on a
// machine with few cores it is the server that is measured.
type loadClient struct {
	connection *tls.Conn
	reader     *bufio.Reader
	request    []byte
	latencies  []time.Duration
}

func connect(options loadOptions) (*loadClient, error) {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(options.Bundle)
	connection, err := tls.Dial("tcp", options.Address, &tls.Config{RootCAs: roots, ServerName: serverName, NextProtos: []string{"http/1.1"}})
	if err != nil {
		return nil, err
	}
	var request bytes.Buffer
	fmt.Fprintf(&request, "POST %s?timeout=5s HTTP/1.1\r\nHost: %s\r\nUser-Agent: kube-apiserver-admission\r\nContent-Length: %d\r\n"+
		"Accept: application/json, */*\r\nContent-Type: application/json\r\nAccept-Encoding: gzip\r\n\r\n", options.Path, serverName, len(options.Body))
	request.Write(options.Body)
	return &loadClient{connection: connection, reader: bufio.NewReader(connection), request: request.Bytes()}, nil
}

func (c *loadClient) until(end time.Time) error {
	for {
		begin := time.Now()
		if begin.After(end) {
			return nil
		}
		if err := c.once(); err != nil {
			return err
		}
		c.latencies = append(c.latencies, time.Since(begin))
	}
}

var allowed = []byte(`"allowed":true`)

func (c *loadClient) once() error {
	if _, err := c.connection.Write(c.request); err != nil {
		return err
	}
	response, err := http.ReadResponse(c.reader, nil)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK || !bytes.Contains(body, allowed) {
		return fmt.Errorf("%s: %s", response.Status, body)
	}
	return response.Body.Close()
}
