# frozen_string_literal: true

# What the runtime itself writes into the function's log: each call is one log event
# (crates/exec/src/logs/records.rs). Descriptors 1 and 2 stay what they are: an event a line.

module Kagero
  module Output
    RECORD = 1
    RECORD_GOES_ON = 4
    # A record up to PIPE_BUF is never mixed with what others write at the same time.
    MOST = 4096 - 16

    @pipe = IO.for_fd(4, "wb", autoclose: false)
    @pipe.sync = true
    @pipe.close_on_exec = true

    class << self
      # Of the invocation under way.
      attr_accessor :request_id
    end

    module_function

    def install
      $stdout.sync = true
      $stderr.sync = true
    end

    def log_error(title, document)
      log("#{title}\n#{JSON.pretty_generate(document)}")
    end

    def log(message)
      data = message.b
      now = Process.clock_gettime(Process::CLOCK_REALTIME, :millisecond)
      0.step(data.bytesize - 1, MOST) do |at|
        part = data.byteslice(at, MOST)
        kind = at + MOST < data.bytesize ? RECORD_GOES_ON : RECORD
        pipe.write([kind, part.bytesize, now].pack("L<L<Q<") << part)
      end
    end

    # Writes out what was printed without a line end, wherever the function has led it.
    def flush
      [$stdout, $stderr].each { |stream| stream.flush if stream.respond_to?(:flush) }
    rescue IOError, SystemCallError
      nil
    end

    def pipe
      @pipe
    end
  end
end
