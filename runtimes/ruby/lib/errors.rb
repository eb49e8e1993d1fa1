# frozen_string_literal: true

# Errors as the caller of the function receives them, and as its log shows them.

module Kagero
  module Errors
    OURS = "/var/runtime/ruby/"

    module_function

    # The error document of an exception. The phase is `Function` or `Init`.
    def document(error, phase)
      {
        "errorMessage" => text(error.message),
        "errorType" => "#{phase}<#{error.class.name}>",
        "stackTrace" => trace(error),
      }
    rescue StandardError => error
      { "errorMessage" => text(error.message), "errorType" => "#{phase}<Exception>", "stackTrace" => [] }
    end

    # Header and payload of the frame that reports it.
    def frame(document, ends: false)
      [{ error_type: document["errorType"], ends: ends }.to_json, document.to_json]
    end

    # The function's own frames: those of the runtime say nothing to its author.
    def trace(error)
      lines = (error.backtrace || []).map { |line| text(line) }
      lines.take_while { |line| !line.start_with?(OURS) }
    end

    # What is no UTF-8 would be no JSON.
    def text(value)
      value.to_s.dup.force_encoding(Encoding::UTF_8).scrub
    end
  end
end
