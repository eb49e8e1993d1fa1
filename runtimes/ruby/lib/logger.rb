# frozen_string_literal: true

# Loggers that write to the standard streams, as Lambda has them: each call is one log event, however
# many lines it has, with the request in it.
# https://docs.aws.amazon.com/lambda/latest/dg/ruby-logging.html

require "logger"

module Kagero
  # What loggers write to in the place of a standard stream.
  class LogDevice
    def write(message)
      Output.log(message.chomp)
    end

    def close; end
  end

  class LogFormatter < Logger::Formatter
    def call(severity, time, progname, message)
      time = time.strftime("%Y-%m-%dT%H:%M:%S.%6N")
      text = msg2str(message)
      "#{severity[0]}, [#{time} ##{Process.pid}] #{severity.rjust(5)} #{Output.request_id} -- #{progname}: #{text}\n"
    end
  end

  module StandardLoggers
    def initialize(device = nil, *rest, **options)
      return super unless [$stdout, $stderr].any? { |stream| stream.equal?(device) }

      super(LogDevice.new, *rest, **options)
      @default_formatter = LogFormatter.new
    end
  end

  Logger.prepend(StandardLoggers)
end
