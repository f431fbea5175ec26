// SPDX-License-Identifier: Apache-2.0

package credential_test

// canary stands for a value of a Secret. No message may ever hold it.
const canary = "not-a-secret-canary"
