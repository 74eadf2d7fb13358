/**
 * Counts every `tracer.trace()` of [hypertrace](https://github.com/holepunchto/hypertrace) in a
 * Prometheus counter and, with `port`, serves the page that Prometheus scrapes.
 *
 * Returns the function for `setTraceFunction` of hypertrace. Set it before you create the objects to
 * trace: hypertrace gives an object that was created earlier a tracer that does nothing.
 *
 * The port is open when the call returns. Counting runs on the calling thread. The server runs on its
 * own thread and answers while the event loop is blocked.
 *
 * @throws {TypeError} `ERR_INVALID_ARG_TYPE`: an option has the wrong type; the message names it.
 * @throws {TypeError} `ERR_INVALID_ARG_VALUE`: an option has the right type and an invalid value.
 * @throws {RangeError} `ERR_OUT_OF_RANGE`: a number is outside the range of its option.
 * @throws {Error} `EADDRINUSE`, `EACCES`, `ENOTFOUND`, `EAI_AGAIN`, `EADDRNOTAVAIL`, `EINVAL` or another
 * code of the system: the server cannot listen. The error has `syscall`, `address` and `port`, as on a
 * Node.js server. Nothing is left running.
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
   * The options. `null` has the same effect as an absent option. Unknown options are ignored. The process
   * emits a warning if the name of an unknown option differs from the name of an option only by case or by one letter.
   */
  interface Options {
    /**
     * The port of the server, 0 to 65535: a number, or a string of digits such as the value of an
     * environment variable. 0 takes any free port; `address()` returns it. Without a port there is no
     * server.
     *
     * Another thread of the process that asks for the same port joins the page. The page then shows the
     * counts of all threads, and the `nodejs_*` lines of each worker with the label `worker`. The options
     * that determine the content of the page must be equal in all threads.
     *
     * The open server keeps the process alive until `stop()` or `unref()`. It does not keep alive a
     * thread that has joined.
     *
     * @default undefined
     * @throws {RangeError} `ERR_SOCKET_BAD_PORT` outside 0 to 65535.
     * @throws {TypeError} `ERR_INVALID_ARG_VALUE` for an option that differs from the thread to join.
     * @throws {Error} `EADDRINUSE` if another program or another instance in this thread has the port,
     * `EACCES` if the port needs a privilege.
     */
    port?: number | string | null

    /**
     * The host name or address to listen on. `localhost` (127.0.0.1 and ::1) is reachable from this
     * machine only. `0.0.0.0` (IPv4) and `::` (IPv4 and IPv6) are reachable from other machines: set
     * `auth` too.
     *
     * @default 'localhost'
     * @throws {TypeError} `ERR_INVALID_ARG_VALUE` for a host with a scheme, a port, brackets or spaces.
     * @throws {Error} `ENOTFOUND` or `EAI_AGAIN` for a name that does not resolve, `EADDRNOTAVAIL` for an
     * address that this machine does not have, `EINVAL` for an address on which the system cannot listen.
     */
    host?: string | null

    /**
     * A registry of prom-client 14 or 15, of `@prometheus-io/client`, or an object with the same
     * methods. The counter and the default metrics are registered in it. With `port`, the server serves
     * the page of this registry, and waits for it almost as long as the scraper waits for the response. `stop()`
     * removes what was registered.
     *
     * A default metric that the registry has already is not replaced. A metric that is registered later, for
     * example by `collectDefaultMetrics()` of prom-client, replaces the metric of this package with the same
     * name. For this, the exporter replaces the method `registerMetric` of the registry until `stop()`.
     *
     * @default null
     * @throws {TypeError} `ERR_INVALID_ARG_TYPE` without the methods of {@link Registry}.
     * @throws {TypeError} `ERR_INVALID_ARG_VALUE` if it already has a metric with the name of the counter.
     */
    register?: Registry | null

    /**
     * Shares the `port` with other processes of the same user on this machine that set `cluster` too: the first
     * one opens the port, the others join its page. Each line of the page has the label `process`, the number of
     * its process. When the process that has opened the port ends, another one opens it within a second. The
     * options that determine the content of the page, `host`, `auth`, `allowedHosts`, and the requirements of
     * `tls` for clients must be equal in all processes. Has no effect without `port`.
     *
     * `metrics()` returns the lines of its own process. A `register` is not accepted.
     *
     * @default false
     * @throws {TypeError} `ERR_INVALID_ARG_TYPE` if it is not a boolean, `ERR_INVALID_ARG_VALUE` for an option
     * that differs from the process to join.
     * @throws {Error} `EADDRINUSE` if a process without `cluster`, or one of another user, has the port.
     */
    cluster?: boolean | null

    /**
     * Adds the default metrics to the page: `process_*` and `nodejs_*`, with the names, help texts,
     * types and labels of prom-client 15, and `hypertrace_*`, about the exporter. `'hypertrace'` adds
     * `hypertrace_*` only: for a page that has the other families from another package.
     *
     * @default true
     */
    collectDefaults?: boolean | 'hypertrace' | null

    /**
     * Shows a scraper each new series at 0 once, and then at its value, so that `rate()` and `increase()` of
     * Prometheus contain the first calls of the series. A scraper is a client that sends `X-Prometheus-Scrape-Timeout-Seconds`,
     * as Prometheus, its agent, Grafana Alloy and vmagent do. Every other client, and `metrics()`, gets exact values.
     *
     * @default true
     * @throws {TypeError} `ERR_INVALID_ARG_TYPE` if it is not a boolean
     */
    startAtZero?: boolean | null

    /**
     * The properties to show as labels: `['foo']` gives `object_props_foo`, `parent_object_props_foo` and
     * `caller_props_foo`, each only where the property exists. A character outside `[A-Za-z0-9_]`
     * becomes `_`; if two properties get the same name, the later one is shown, and the process emits a
     * warning. Each value is a series of its own: allow only properties with few values.
     *
     * @default []
     * @see https://prometheus.io/docs/concepts/data_model/#metric-names-and-labels
     */
    allowedProps?: readonly string[] | null

    /**
     * The name of the counter: letters, digits, `_` and `:`, and no digit at the start.
     *
     * @default 'trace_counter'
     * @throws {TypeError} `ERR_INVALID_ARG_VALUE` for any other name, and for the name of another family
     * of the page.
     * @see https://prometheus.io/docs/concepts/data_model/#metric-names-and-labels
     */
    metricName?: string | null

    /**
     * Labels for every line of the page. A name has letters, digits and `_`, does not start with a
     * digit or `__`, and is not a label of the counter.
     *
     * @default {}
     * @throws {TypeError} `ERR_INVALID_ARG_VALUE` for any other name and for `NaN`, `ERR_INVALID_ARG_TYPE`
     * for a value that is not a string, a number, a bigint or a boolean.
     */
    defaultLabels?: Readonly<Record<string, string | number | bigint | boolean>> | null

    /**
     * A prefix for the names of the `process_*` and `nodejs_*` metrics. The counter and `hypertrace_*`
     * have no prefix. A prefix has letters, digits, `_` and `:`, and no digit at the start.
     *
     * @default ''
     * @throws {TypeError} `ERR_INVALID_ARG_VALUE` for any other text.
     */
    prefix?: string | null

    /**
     * The labels to leave out of the counter. Calls that differ only in these labels are counted
     * together; no count is lost. `['object_id', 'parent_object_id']` is the best remedy for too many
     * series. The label of a property is absent if `allowedProps` does not have the property.
     *
     * @default []
     * @throws {TypeError} `ERR_INVALID_ARG_VALUE` for a label that is not a {@link Label}.
     */
    omitLabels?: readonly Label[] | null

    /**
     * The maximum number of series of the counter, 1 to 100,000,000. No count is lost at the maximum: in
     * the last tenth of the maximum, a new label set is counted without `object_id`, `parent_object_id` and
     * properties; at the maximum, in one series with `hypertrace_overflow="true"`. Each number of the
     * options can also be a string of digits.
     *
     * @default 50000
     * @throws {RangeError} `ERR_OUT_OF_RANGE` for any other number.
     */
    maxSeries?: number | string | null

    /**
     * Milliseconds, 0 to 2,147,483,647. A series that is not counted for this time expires: after a
     * scrape has shown its last value, it is removed from the page. If it is counted again, it starts at
     * 0, which `rate()` treats as a restart. 0: no series expires. Idle series are removed when a page is
     * requested; there is no timer.
     *
     * @default 0
     * @throws {RangeError} `ERR_OUT_OF_RANGE` for any other number.
     */
    seriesIdleTimeout?: number | string | null

    /**
     * The maximum length of a label value in UTF-16 code units, 1 to 65,535. A longer value is cut and
     * ends in `…`.
     *
     * @default 1024
     * @throws {RangeError} `ERR_OUT_OF_RANGE` for any other number.
     */
    maxLabelValueLength?: number | string | null

    /**
     * Seconds, 0 to 900: the time for which the recorder of a server stores figures. Once a second, the
     * server's thread stores the calls of each call site, the delay of the event loop, CPU time and memory,
     * in at most 8 MB. `/history.json` and the live page show them, and also the calls while an event loop
     * was blocked. 0: nothing is recorded. Without `port` nothing is recorded either.
     *
     * @default 900
     * @throws {RangeError} `ERR_OUT_OF_RANGE` for any other number.
     */
    history?: number | string | null

    /**
     * The credentials that each request must carry, on every path except `/-/healthy`: a user name and a
     * password (Basic), or a token (Bearer). A request without credentials, or with wrong credentials, gets 401. Responses to
     * wrong credentials are delayed, separately for each address. Without `tls`, everybody on the network path
     * can read the credentials.
     *
     * @default null
     * @throws {TypeError} `ERR_INVALID_ARG_TYPE` if the user name or the password is missing,
     * `ERR_INVALID_ARG_VALUE` for a text that is empty or that a request cannot carry. The message does not
     * contain the value.
     */
    auth?: BasicAuth | BearerAuth | null

    /**
     * Serves HTTPS (TLS 1.2 and 1.3) with this certificate, and no plain HTTP.
     *
     * @default null
     * @throws {TypeError} `ERR_INVALID_ARG_VALUE` if a certificate or the key cannot be read, or if the key
     * does not match the certificate. The message contains nothing of the key.
     */
    tls?: SecureContext | null

    /**
     * Host names of this server, without a port, besides `localhost`, the name of the machine,
     * `host.docker.internal` and all IP addresses. As a protection against DNS rebinding, a request with
     * another name gets 403 if it comes from a browser. On a loopback address of a server without `auth`,
     * every request with another name gets 403.
     *
     * @default []
     * @throws {TypeError} `ERR_INVALID_ARG_VALUE` for a text that is not a host name or an address.
     */
    allowedHosts?: readonly string[] | null
  }

  /** A user name and a password, as `basic_auth` of Prometheus sends them. */
  interface BasicAuth {
    /**
     * Not empty, without a colon. The type has `undefined` because a variable of `process.env` has it; the
     * value `undefined` throws at the call.
     */
    username: string | undefined
    /** Not empty. The value `undefined` throws at the call, as for `username`. */
    password: string | undefined
    bearer?: null
  }

  /** A token, as `authorization: { credentials }` of Prometheus sends it. */
  interface BearerAuth {
    /** Visible ASCII characters. The value `undefined` throws at the call, as for `username` of `BasicAuth`. */
    bearer: string | undefined
    username?: null
    password?: null
  }

  /** A certificate and its key in PEM form, with the names that `tls` of Node.js uses. */
  interface SecureContext {
    /** The certificate, followed by the intermediate certificates. */
    cert: string | Uint8Array
    /** The private key, not encrypted: RSA of 2,048 bits or more, ECDSA P-256 or P-384, or Ed25519. */
    key: string | Uint8Array
    /** Certificate authorities. With these, each client must have a certificate that one of them signed. */
    ca?: string | Uint8Array | null
    /**
     * The oldest TLS version that the server accepts.
     *
     * @default 'TLSv1.2'
     */
    minVersion?: 'TLSv1.2' | 'TLSv1.3' | null
  }

  /** The labels of the counter, without the labels of properties. */
  type Label =
    | 'object_classname'
    | 'object_id'
    | 'caller_functionname'
    | 'caller_filename'
    | 'id'
    | 'parent_object_classname'
    | 'parent_object_id'

  /** The argument that hypertrace passes to a trace function at each `tracer.trace()`. */
  interface TracePayload {
    /** The id in `trace(id)`; `null` without one; missing in hypertrace 1.0.0. */
    id?: string | null
    /** The object that holds the tracer. */
    object: TracedObject
    /** The object that was passed as `parent`, if any. */
    parentObject?: TracedObject | null
    /** The call of `trace()`. */
    caller: Caller
  }

  /** A traced object as its tracer sees it. */
  interface TracedObject {
    /** The name of its constructor. */
    className: string
    /** The number of the object among the objects of its constructor: 1, 2, 3 … */
    id: number
    /** The `props` of `createTracer`. */
    props?: object | null
    /** The object itself. Not read for labels. */
    ctx?: unknown
  }

  /** The call site of `trace()`. */
  interface Caller {
    /** The calling function, without the name of its class. */
    functionName: string
    /** The file it is in: a path or a `file:` URL. */
    filename: string
    /** The line of the call, from 1. */
    line?: number
    /** The column of the call, from 1. */
    column?: number
    /** The properties in `trace(id, props)`. */
    props?: object | null
  }

  /** An object that can write a page. dht-prom-client accepts an object whose property `register` is such an object. */
  interface MetricsSource {
    /** Returns the whole page in the text format of Prometheus. Can be called without `this`. */
    metrics: () => Promise<string>
    /** The `Content-Type` to send with the page. */
    readonly contentType: string
  }

  /** The methods of a registry that this package needs. prom-client 14 and 15 and `@prometheus-io/client` have them. */
  interface Registry extends MetricsSource {
    /** Adds a metric; throws if another metric has its name. */
    registerMetric (metric: any): void
    /** Returns the metric of that name, if there is one. */
    getSingleMetric (name: string): any
    /** Removes the metric of that name. */
    removeSingleMetric (name: string): void
  }

  /** The address of a server, as `server.address()` of Node.js returns it. */
  interface Address {
    /** The IP address. */
    address: string
    /** `'IPv4'` or `'IPv6'`. */
    family: 'IPv4' | 'IPv6'
    /** The port; with the option `port: 0`, the port that the system chose. */
    port: number
  }

  /** Options of a metric producer. */
  interface MetricProducerOptions {
    /**
     * Adds the default metrics: those that the option `collectDefaults` of `HypertracePrometheus` selects.
     *
     * @default false
     */
    collectDefaults?: boolean | null

    /**
     * For metric readers that push: adds a point at 0 to the first collection that contains a series, at the
     * time of the series' first call, so that `rate()` and `increase()` of Prometheus count its first calls.
     *
     * @default the option `startAtZero` of `HypertracePrometheus`
     */
    startAtZero?: boolean | null
  }

  /** A `MetricProducer` of OpenTelemetry's SDK (`@opentelemetry/sdk-metrics` 2), for `metricProducers` of a metric reader. */
  interface MetricProducer {
    /**
     * Reads all series. `startAtZero` has an effect only with `timeoutMillis`, which metric readers that push
     * pass. Can be called without `this`.
     */
    collect: (options?: { timeoutMillis?: number }) => Promise<CollectedMetrics>
  }

  /** A `CollectionResult` of OpenTelemetry's SDK. */
  interface CollectedMetrics {
    resourceMetrics: {
      /** Empty, because the metric reader has a resource of its own. */
      resource: { attributes: {}, merge: (other: any) => any, getRawAttributes: () => never[] }
      scopeMetrics: { scope: { name: string, version: string }, metrics: CollectedMetric[] }[]
    }
    /** The errors of default metrics that could not be read. */
    errors: unknown[]
  }

  /** A `MetricData` of OpenTelemetry's SDK. The numbers are those of its enumerations. */
  type CollectedMetric = {
    descriptor: { name: string, description: string, unit: string, valueType: 0 | 1 }
    /** Cumulative. */
    aggregationTemporality: 1
  } & (
    | { dataPointType: 3, isMonotonic: boolean, dataPoints: DataPoint<number>[] }
    | { dataPointType: 2, dataPoints: DataPoint<number>[] }
    | { dataPointType: 0, dataPoints: DataPoint<CollectedHistogram>[] }
  )

  /** A point of one series. The times are seconds since the Unix epoch, and nanoseconds. */
  interface DataPoint<T> {
    /** The time at which the value was 0: for the counter, the first call of the series. */
    startTime: [number, number]
    endTime: [number, number]
    attributes: Record<string, string>
    value: T
  }

  /** A histogram of OpenTelemetry's SDK. */
  interface CollectedHistogram {
    /** There is one more count than boundaries. */
    buckets: { boundaries: number[], counts: number[] }
    sum: number
    count: number
  }

  /** Counts one trace. Pass it to `setTraceFunction`. It never throws. */
  interface TraceFunction {
    (payload: TracePayload): void

    /**
     * Returns the whole page, which another thread renders. With a `register`, the result is that of
     * `register.metrics()`.
     */
    metrics (): Promise<string>

    /**
     * Closes the server, removes the metrics from a given `register` and ends every observer. Requests
     * that arrive after the call get no response. Resolves when the port is free. Further calls have no
     * effect. A thread that has joined the port of another thread only leaves the page; its counts stay.
     */
    stop (): Promise<void>

    /**
     * Returns the address of the server, or `null` without a server or after `stop()`. With
     * `host: 'localhost'` it is the first of the two addresses.
     */
    address (): Address | null

    /**
     * Replaces the certificate of a server that was opened with `tls`, from the next connection on. Open
     * connections stay open. `ca` and `minVersion` stay as they are if they are left out; with `ca: null`,
     * the server no longer asks for client certificates.
     *
     * @throws {TypeError} as the option `tls` does. Nothing changes then.
     * @throws {Error} `ERR_INVALID_STATE` without a `port` or without the option `tls`.
     */
    setSecureContext (context: SecureContext): void

    /** Makes the open server keep the process alive, which is the default. */
    ref (): this

    /** Lets the process end while the server is open. */
    unref (): this

    /** The `Content-Type` of the page: `text/plain; version=0.0.4; charset=utf-8`, or that of the given `register`. */
    readonly contentType: string

    /**
     * A producer of the counter for a metric reader of OpenTelemetry's SDK:
     * `new PeriodicExportingMetricReader({ exporter, metricProducers: [traceFunction.metricProducer] })`.
     * Called as a function, it returns a producer with options. Each reader needs a producer of its own.
     *
     * @throws {TypeError} `ERR_INVALID_ARG_TYPE` for an option of the wrong type.
     */
    readonly metricProducer: MetricProducer & ((options?: MetricProducerOptions | null) => MetricProducer)

    /** The given `register`, or an object with `metrics()` and `contentType`. */
    readonly register: MetricsSource
  }
}

export = HypertracePrometheus
