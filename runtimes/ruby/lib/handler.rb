# frozen_string_literal: true

# Finds the function's handler: `file.method`, or `file.Class.method`.
# https://docs.aws.amazon.com/lambda/latest/dg/ruby-handler.html

module Kagero
  class Handler
    # Loads the file. Raises whatever that raises.
    def initialize(name, task_root)
      file, *owner, @method = name.split(".")
      unless @method && owner.size < 2
        raise ArgumentError,
              "Invalid handler #{name.split(".")}, must be of form FILENAME.METHOD or " \
              "FILENAME.CLASS.METHOD where FILENAME corresponds with an existing Ruby source file " \
              "FILENAME.rb, CLASS is an optional module/class namespace and METHOD is a callable " \
              "method. If using CLASS, METHOD must be a class-level method."
      end

      @owner = owner.first
      set_up_path(task_root)
      require file
    end

    # The answer, as bytes.
    def call(event, context)
      receiver = @owner ? Object.const_get(@owner) : TOPLEVEL_BINDING.receiver
      result = receiver.__send__(@method, event: event, context: context)
      case result
      when IO then result.read
      when ->(it) { defined?(StringIO) && it.is_a?(StringIO) } then result.read
      else result.to_json
      end
    end

    private

    # What Ruby reads when it starts, which may have been as nobody's.
    def set_up_path(task_root)
      folders = ENV.fetch("RUBYLIB", task_root).split(":")
      $LOAD_PATH.unshift(*(folders - $LOAD_PATH))
      Gem.clear_paths if defined?(Gem)
    end
  end
end
