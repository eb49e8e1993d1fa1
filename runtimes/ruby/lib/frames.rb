# frozen_string_literal: true

# The protocol with the server: frames of kind, header and payload over an inherited socket.
# crates/exec/src/frames.rs describes it.

module Kagero
  module Frames
    BOOTED = 1
    SPECIALISE = 2
    READY = 3
    INIT_ERROR = 4
    INVOKE = 5
    RESPONSE = 6
    ERROR = 7
    REHEARSE = 10

    PREFIX = 12

    @socket = IO.for_fd(3, "r+b", autoclose: false)
    @socket.sync = true
    @socket.close_on_exec = true
    @owner = Process.pid

    module_function

    # The next frame: kind, header and payload. Ends the runtime when the server is gone.
    def receive
      kind, header, payload = read(PREFIX).unpack("L<3")
      [kind, read(header).force_encoding(Encoding::UTF_8), read(payload).force_encoding(Encoding::UTF_8)]
    end

    # Sends one frame. Ends a process that the function forked and that returned from its handler
    # too: one event has one answer, and the next is for one process.
    def send(kind, header = "", payload = "")
      exit!(0) if Process.pid != owner
      prefix = [kind, header.bytesize, payload.bytesize].pack("L<3")
      socket.write(prefix << header.b << payload.b)
    rescue SystemCallError
      exit!(0)
    end

    def read(size)
      return +"" if size.zero?

      socket.read(size).tap { |data| exit!(0) if data.nil? || data.bytesize < size }
    rescue SystemCallError
      exit!(0)
    end

    def socket
      @socket
    end

    def owner
      @owner
    end
  end
end
