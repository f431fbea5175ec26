// SPDX-License-Identifier: Apache-2.0

// Command gitserver serves the repositories of a folder, over HTTPS.
package main

import (
	"flag"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/credence-dev/credence/e2e/stage/gitserver"
)

func main() {
	listen := flag.String("listen", ":8443", "the address to serve at")
	repositories := flag.String("repositories", "/repositories", "the folder of the repositories")
	logins := flag.String("logins", "/logins", "the folder of the files username and password, which may read, and keeper, which may commit")
	cert := flag.String("cert", "/tls/tls.crt", "the certificate")
	key := flag.String("key", "/tls/tls.key", "its key")
	flag.Parse()
	handler, err := gitserver.New(*repositories, *logins)
	if err == nil {
		server := http.Server{Addr: *listen, Handler: handler, ReadHeaderTimeout: 10 * time.Second}
		err = server.ListenAndServeTLS(*cert, *key)
	}
	fmt.Fprintln(os.Stderr, "gitserver:", err)
	os.Exit(1)
}
