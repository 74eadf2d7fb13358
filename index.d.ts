/**
 * Counts every `tracer.trace()` of [hypertrace](https://github.com/holepunchto/hypertrace) in a
 * Prometheus counter and, with `port`, serves the page that Prometheus scrapes.
 *
 * Returns the function for hypertrace's `setTraceFunction`. Set it before the objects to be traced
 * are made: hypertrace gives objects made earlier a tracer that does nothing.
 *
 * The port is listening when the call returns. Counting runs on the calling thread; the server runs
 * on a thread of its own and answers while the event loop is blocked.
 *
 * @throws {TypeError} `ERR_INVALID_ARG_TYPE`: an option has the wrong type; the message names it.
 * @throws {TypeError} `ERR_INVALID_ARG_VALUE`: an option has the right type and a value that cannot be used.
 * @throws {RangeError} `ERR_OUT_OF_RANGE`: a number is outside the range of its option.
 * @throws {Error} `EADDRINUSE`, `EACCES`, `ENOTFOUND`, `EADDRNOTAVAIL`: the server cannot listen;
 * with `code`, `syscall`, `address` and `port` as on a Node.js server's error. Nothing is left running.
 *
 * @example
 * const { setTraceFunction } = require('hypertrace')
 * const HypertracePrometheus = require('hypertrace-prometheus')
 *
 * const traceFunction = HypertracePrometheus({ port: 4343 })
 * setTraceFunction(traceFunction)
 * // http://localhost:4343/metrics
 */
declare function HypertracePrometheus (options?: HypertracePrometheus.Options): HypertracePrometheus.TraceFunction

declare namespace HypertracePrometheus {
  /**
   * What to count, how to show it and where to serve it. `null` is the default, as if left out.
   * Options not named here are ignored.
   */
  interface Options {
    /**
     * The port to serve the page on, 0 to 65535, or its digits as an environment variable has them.
     * 0 takes any free port: `address()` tells which. Left out, there is no server.
     *
     * In another thread of the same process the same port joins: one page shows the counts of all
     * threads, and each one's `nodejs_*` beside the main thread's with the label `worker`. The options
     * that shape the page have to be the same. A thread that has joined is not kept alive by it.
     *
     * The open server keeps the process alive until `stop()`, or after `unref()`.
     *
     * @default undefined
     * @throws {RangeError} `ERR_SOCKET_BAD_PORT` outside of 0 to 65535.
     * @throws {TypeError} `ERR_INVALID_ARG_VALUE` naming an option that is another in the thread to join.
     * @throws {Error} `EADDRINUSE` when another program or this very thread has the port, `EACCES` when it needs privilege.
     */
    port?: number | string | null

    /**
     * The host name or address to listen on. `localhost` listens on 127.0.0.1 and ::1: only this
     * machine reaches it. `0.0.0.0` (IPv4) or `::` (IPv4 and IPv6) is every interface.
     *
     * @default 'localhost'
     * @throws {Error} `ENOTFOUND` for a name that does not resolve, `EADDRNOTAVAIL` for an address
     * that is not this machine's.
     */
    host?: string | null

    /**
     * A registry of prom-client 14 or 15, `@prometheus-io/client`, or anything of that shape. The
     * counter and the default metrics are registered there; with `port` as well, the page is this
     * registry's. `stop()` takes out what was put in.
     *
     * @default null
     * @throws {TypeError} `ERR_INVALID_ARG_TYPE` without the methods of {@link Registry}.
     * @throws {Error} the registry's own, when it already holds a metric of the counter's name.
     */
    register?: Registry | null

    /**
     * Whether the page carries the `process_*` and `nodejs_*` families as well, whose names, help
     * texts, types and labels are those of prom-client 15, and `hypertrace_*`, about the exporter.
     *
     * @default true
     */
    collectDefaults?: boolean | null

    /**
     * Properties to show as labels: `['foo']` gives `object_props_foo`, `parent_object_props_foo` and
     * `caller_props_foo`, each set where the property is. A character outside of `[A-Za-z0-9_]`
     * becomes `_`. Each different value is a series of its own: allow only properties with few values.
     *
     * @default []
     * @see https://prometheus.io/docs/concepts/data_model/#metric-names-and-labels
     */
    allowedProps?: readonly string[] | null

    /**
     * The counter's name: letters, digits, `_` and `:`, not led by a digit.
     *
     * @default 'trace_counter'
     * @throws {TypeError} `ERR_INVALID_ARG_VALUE` for any other name.
     * @see https://prometheus.io/docs/concepts/data_model/#metric-names-and-labels
     */
    metricName?: string | null

    /**
     * Labels that every sample gets. Their names are letters, digits and `_`, not led by a digit or
     * `__`, and none of the counter's own.
     *
     * @default {}
     * @throws {TypeError} `ERR_INVALID_ARG_VALUE` for any other name.
     */
    defaultLabels?: Readonly<Record<string, string | number>> | null

    /**
     * Put before the name of each default metric (`process_*`, `nodejs_*`), never before the counter's.
     * Letters, digits, `_` and `:`, not led by a digit.
     *
     * @default ''
     * @throws {TypeError} `ERR_INVALID_ARG_VALUE` for any other text.
     */
    prefix?: string | null

    /**
     * Labels of the counter to leave out. Calls that differ in these alone are counted together; no
     * count is lost. `['object_id', 'parent_object_id']` is the strongest cure for too many series.
     * A property's label is left out by leaving the property out of `allowedProps`.
     *
     * @default []
     * @throws {TypeError} `ERR_INVALID_ARG_VALUE` for a label that is not a {@link Label}.
     */
    omitLabels?: readonly Label[] | null

    /**
     * The most series the counter may have, 1 to 100,000,000. No count is lost at the bound: in its
     * last tenth, a new series gives up `object_id`, `parent_object_id` and every property; past that,
     * one series with `hypertrace_overflow="true"` takes the rest.
     *
     * @default 50000
     * @throws {RangeError} `ERR_OUT_OF_RANGE` for any other number.
     */
    maxSeries?: number | null

    /**
     * Milliseconds after which a series that is not counted any more leaves the page, once its last
     * value was shown; 0 for never. If it is counted again it starts at 0, which `rate()` takes for
     * a restart. Looked after now and then on the JavaScript thread, by a timer that keeps no
     * process alive.
     *
     * @default 0
     */
    seriesIdleTimeout?: number

    /**
     * The most characters (UTF-16 units) of a label value, 1 to 65,535. A longer one is cut and ends
     * in `…`.
     *
     * @default 1024
     * @throws {RangeError} `ERR_OUT_OF_RANGE` for any other number.
     */
    maxLabelValueLength?: number | null

    /**
     * What each request has to carry, on every path: a name and a password (Basic), or a token
     * (Bearer). Without it, or with a wrong one, the answer is 401; wrong ones are answered later and
     * later, by address. Without `tls` it goes over the network readable by all who can listen there.
     *
     * @default null
     * @throws {TypeError} `ERR_INVALID_ARG_TYPE` when half of a pair is missing, `ERR_INVALID_ARG_VALUE`
     * for an empty password or one that a request cannot carry. The message does not tell it.
     */
    auth?: BasicAuth | BearerAuth | null

    /**
     * Serves over TLS 1.2 and 1.3 (HTTPS) with this certificate; then not over plain HTTP.
     *
     * @default null
     * @throws {TypeError} `ERR_INVALID_ARG_VALUE` when one of them cannot be read, or the key is not the
     * certificate's. The message tells nothing of the key.
     */
    tls?: SecureContext | null

    /**
     * Names and addresses, without a port, that browsers may use for this server beyond `localhost` and
     * the addresses of the loopback. A browser's own request for any other name is answered 403, against
     * DNS rebinding. Scrapers are not asked.
     *
     * @default []
     * @throws {TypeError} `ERR_INVALID_ARG_VALUE` for what is no name or address.
     */
    allowedHosts?: readonly string[] | null
  }

  /** A name and a password, as Prometheus's `basic_auth` sends them. */
  interface BasicAuth {
    /** Not empty, without a colon. */
    username: string
    /** Not empty. */
    password: string
    bearer?: null
  }

  /** A token, as Prometheus's `authorization: { credentials }` sends it. */
  interface BearerAuth {
    /** Visible ASCII characters. */
    bearer: string
    username?: null
    password?: null
  }

  /** A certificate and its key in PEM form, by the names that Node.js's `tls` has. */
  interface SecureContext {
    /** The certificate, followed by those between it and its authority's. */
    cert: string | Uint8Array
    /** Its private key, not encrypted: RSA of 2,048 bits or more, ECDSA P-256 or P-384, or Ed25519. */
    key: string | Uint8Array
    /** Authorities. With them each client has to show a certificate of one of theirs. */
    ca?: string | Uint8Array | null
    /**
     * The oldest version to speak.
     *
     * @default 'TLSv1.2'
     */
    minVersion?: 'TLSv1.2' | 'TLSv1.3' | null
  }

  /** The labels of the counter that are not properties'. */
  type Label =
    | 'object_classname'
    | 'object_id'
    | 'caller_functionname'
    | 'caller_filename'
    | 'id'
    | 'parent_object_classname'
    | 'parent_object_id'

  /** What hypertrace hands to a trace function at each `tracer.trace()`. */
  interface TracePayload {
    /** The id given to `trace(id)`; `null` without one; missing in hypertrace 1.0.0. */
    id?: string | null
    /** The object that holds the tracer. */
    object: TracedObject
    /** The object given as `parent`, if any. */
    parentObject?: TracedObject | null
    /** The call of `trace()`. */
    caller: Caller
  }

  /** A traced object as its tracer sees it. */
  interface TracedObject {
    /** The name of its constructor. */
    className: string
    /** 1, 2, 3 … for each constructor. */
    id: number
    /** The `props` given to `createTracer`. */
    props?: object | null
    /** The object itself. Not read for labels. */
    ctx?: unknown
  }

  /** Where `trace()` was called. */
  interface Caller {
    /** The calling function, without the name of its class. */
    functionName: string
    /** The file it is in: a path or a `file:` URL. */
    filename: string
    /** The line of the call, from 1. */
    line?: number
    /** The column of the call, from 1. */
    column?: number
    /** The properties given to `trace(id, props)`. */
    props?: object | null
  }

  /** Something that can write a page: what dht-prom-client takes as `x.register`. */
  interface MetricsSource {
    /** The whole page in the Prometheus text format. Bound: it may be handed on by itself. */
    metrics: () => Promise<string>
    /** The `Content-Type` to send the page with. */
    readonly contentType: string
  }

  /** What is needed of a registry. prom-client 14 and 15 and `@prometheus-io/client` have it. */
  interface Registry extends MetricsSource {
    /** Adds a metric; throws when another metric has its name. */
    registerMetric (metric: any): void
    /** The metric of that name, if there is one. */
    getSingleMetric (name: string): any
    /** Takes out the metric of that name. */
    removeSingleMetric (name: string): void
  }

  /** Where a server listens, as Node.js's `server.address()` tells it. */
  interface Address {
    /** The IP address. */
    address: string
    /** `'IPv4'` or `'IPv6'`. */
    family: 'IPv4' | 'IPv6'
    /** The port, the real one when 0 was asked for. */
    port: number
  }

  /** Counts one trace. What `setTraceFunction` takes; it never throws. */
  interface TraceFunction {
    (payload: TracePayload): void

    /**
     * The whole page. Written off the JavaScript thread, unless a `register` was given: then it is
     * what that registry's `metrics()` writes.
     */
    metrics (): Promise<string>

    /**
     * Closes the server, takes the metrics out of a given `register` and ends every observer. No
     * request that comes after the call is answered; resolves when the port is free. May be called
     * again. In a thread that has joined another's port it only leaves: its counts stay on the page.
     */
    stop (): Promise<void>

    /**
     * Where the server listens, or `null` without one or after `stop()`. With `host: 'localhost'`
     * it is the first of the two addresses.
     */
    address (): Address | null

    /**
     * Changes the certificate of a server that was opened with `tls`, from the next connection on. Those
     * that are open stay open. All of it is set anew: without `ca`, certificates are no longer asked for.
     *
     * @throws {TypeError} as of the option `tls`; then nothing has changed.
     * @throws {Error} `ERR_INVALID_STATE` without a `port` or without the option `tls`.
     */
    setSecureContext (context: SecureContext): void

    /** Lets the open server keep the process alive, which is the default. */
    ref (): this

    /** Lets the process end although the server is open. */
    unref (): this

    /** The `Content-Type` of the page: `text/plain; version=0.0.4; charset=utf-8`, or the given register's. */
    readonly contentType: string

    /** The given `register`, or an object of this one's own whose `metrics` is bound. */
    readonly register: MetricsSource
  }
}

export = HypertracePrometheus
