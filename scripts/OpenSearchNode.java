import java.nio.file.Path;
import java.util.List;
import org.opensearch.common.settings.Settings;
import org.opensearch.env.Environment;
import org.opensearch.node.Node;
import org.opensearch.transport.Netty4Plugin;

/** A node of OpenSearch, with its settings as arguments: NAME=VALUE ... */
public class OpenSearchNode extends Node {
    OpenSearchNode(Settings settings) {
        super(new Environment(settings, Path.of(settings.get("path.home"))), List.of(Netty4Plugin.class), true);
    }

    public static void main(String[] arguments) throws Exception {
        Settings.Builder settings = Settings.builder();
        for (String argument : arguments) {
            String[] setting = argument.split("=", 2);
            settings.put(setting[0], setting[1]);
        }
        OpenSearchNode node = new OpenSearchNode(settings.build());
        Runtime.getRuntime().addShutdownHook(new Thread(() -> closeQuietly(node)));
        node.start();
        Thread.currentThread().join();
    }

    private static void closeQuietly(Node node) {
        try {
            node.close();
        } catch (java.io.IOException error) {
            error.printStackTrace();
        }
    }
}
